package credential

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is what a token service says, with the errors of OAuth 2.0 and of IBM Cloud.
type answer struct {
	Token       string `json:"access_token"`
	Seconds     int64  `json:"expires_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        string `json:"errorCode"`
	Message     string `json:"errorMessage"`
}

// FetchToken asks a token service for an access token, and says until when it is good: an hour if the service does not
// say. secret does not stand in the error.
func FetchToken(client *http.Client, now func() time.Time, req *http.Request, secret string) (string, time.Time, error) {
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	began := now()
	res, err := client.Do(req)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("the token service cannot be reached: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxToken))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("the token service broke off: %w", err)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil && res.StatusCode < 300 {
		return "", time.Time{}, errors.New("the token service answered with what is not JSON")
	}
	switch {
	case res.StatusCode > 299:
		why := strings.Join([]string{a.Code + a.Error, a.Message + a.Description}, " ")
		return "", time.Time{}, fmt.Errorf("status %d %s", res.StatusCode, strings.ReplaceAll(why, secret, "***"))
	case a.Token == "" || strings.ContainsAny(a.Token, "\r\n"):
		return "", time.Time{}, errors.New("the token service gave no token")
	}
	if a.Seconds <= 0 {
		a.Seconds = int64(time.Hour / time.Second)
	}
	return a.Token, began.Add(time.Duration(a.Seconds) * time.Second), nil
}
