package google

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

const (
	accountPrefix = "projects/-/serviceAccounts/"
	iamAddress    = "https://iamcredentials.googleapis.com"
	// iamVariable is where the gcloud command finds the API elsewhere, such as behind a private endpoint
	// (https://cloud.google.com/sdk/gcloud/reference/config/set#api_endpoint_overrides).
	iamVariable = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
)

// AccountToken returns a func that gives access tokens of a service account, which is named by its address, with
// "projects/-/serviceAccounts/" before it or without. They are made on behalf of the environment's credentials, which must be
// allowed to (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken),
// and kept until shortly before they expire.
func (s *Source) AccountToken(account string) (func(ctx context.Context) (string, error), error) {
	email := strings.TrimPrefix(account, accountPrefix)
	if !regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+$`).MatchString(email) {
		return nil, fmt.Errorf("%q is no service account: write %sNAME@PROJECT.iam.gserviceaccount.com", account, accountPrefix)
	}
	self, err := s.Signer("")
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(s.s.Env(iamVariable), "/")
	if base == "" {
		base = iamAddress
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" {
		return nil, errors.New(iamVariable + " is no address such as " + iamAddress + "/")
	}
	at := base + "/v1/" + accountPrefix + email + ":generateAccessToken"
	tokens := credential.NewCache(func(ctx context.Context) (string, time.Time, error) {
		return s.accountToken(ctx, at, self)
	}, 0, s.s.Now)
	return tokens.Get, nil
}

func (s *Source) accountToken(ctx context.Context, at string, self llm.Signer) (string, time.Time, error) {
	body, err := json.Marshal(map[string][]string{"scope": {Scope}})
	if err != nil {
		return "", time.Time{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return "", time.Time{}, err
	}
	var call llm.Call
	if err := self.Sign(ctx, &call); err != nil {
		return "", time.Time{}, err
	}
	for _, f := range call.Header {
		req.Header.Set(string(f.Name), string(f.Value))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.s.Client.Do(req)
	if err != nil {
		return "", time.Time{}, failure(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token   string    `json:"accessToken"`
		Expires time.Time `json:"expireTime"`
		Error   struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&answer)
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", time.Time{}, failure(fmt.Errorf("status %d: %s", resp.StatusCode, answer.Error.Message))
	case err != nil || answer.Token == "" || answer.Expires.IsZero():
		return "", time.Time{}, failure(errors.New("the answer has no token"))
	}
	return answer.Token, answer.Expires, nil
}
