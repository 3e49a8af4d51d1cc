// Package vendorcheck tests that every row of the table of OpenAI-compatible vendors makes an endpoint with the right
// address and credential, and that vendors with peculiarities pass the suite for providers. Neither the table nor the
// provider may import the other, so their common tests are here.
package vendorcheck
