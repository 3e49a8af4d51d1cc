package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/sallyport-ai/sallyport/config"
)

const postgresPort = "5432"

// databaseToken is what makes the passwords of a database on Amazon RDS, with IAM_TOKEN_DB_AUTH. No error holds the
// address: it may have a password.
func (a *App) databaseToken(cfg *config.Config, address string) (func(ctx context.Context) (string, error), error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("IAM_TOKEN_DB_AUTH: the database address cannot be read")
	}
	port := u.Port()
	if port == "" {
		port = postgresPort
	}
	source, _ := a.clouds.of(cfg.Env())
	token, err := source.DatabaseToken(source.Options(func(string) string { return "" }), net.JoinHostPort(u.Hostname(), port), u.User.Username())
	if err != nil {
		return nil, fmt.Errorf("IAM_TOKEN_DB_AUTH: %w", err)
	}
	return token, nil
}
