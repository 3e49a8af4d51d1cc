// Package vendorcheck tests that every row of the table of OpenAI-compatible vendors makes an endpoint with the right
// address and credential, that vendors with peculiarities pass the suite for providers, and that what coding agents say
// through any front arrives at any vendor. Neither the table, nor the providers, nor the dialects may import each other, so
// their common tests are here.
package vendorcheck
