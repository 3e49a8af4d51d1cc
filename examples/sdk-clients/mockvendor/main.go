// Command mockvendor serves the scripted vendor of this example, so that it can be
// tried without an account anywhere.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	sdkclients "github.com/sallyport-ai/sallyport/examples/sdk-clients"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9090", "address to listen on")
	flag.Parse()
	server := &http.Server{Addr: *addr, Handler: sdkclients.Vendor(), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "mock vendor on", *addr)
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
