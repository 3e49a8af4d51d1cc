// Command go runs the example with the Go SDK against OPENAI_BASE_URL with
// OPENAI_API_KEY.
package main

import (
	"context"
	"fmt"
	"os"

	sdkclients "github.com/sallyport-ai/sallyport/examples/sdk-clients"
)

func main() {
	err := sdkclients.Run(context.Background(), os.Getenv("OPENAI_BASE_URL"), os.Getenv("OPENAI_API_KEY"), os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
