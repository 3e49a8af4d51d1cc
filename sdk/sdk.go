// Package sdk carries the source of the SDKs, so that the command can write them into a plugin project without a
// network.
package sdk

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed abi/*.go go/*.go go/*/*.go
var goFiles embed.FS

//go:embed rust/Cargo.toml rust/src/*.rs
var rustFiles embed.FS

// Go returns the SDK for Go: the folders "go", with those in it, and "abi", without tests.
func Go() fs.FS { return goFiles }

// Rust returns the SDK for Rust: a crate in the folder "rust", without its tests.
func Rust() fs.FS { return rustFiles }

// ABISource returns the files of package abi, which name the numbers of the border.
func ABISource() ([]string, error) {
	names, err := fs.Glob(goFiles, "abi/*.go")
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		b, err := goFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, string(b))
	}
	return files, nil
}

// Test reports whether a file of Go or Rust belongs to the tests of the SDK, which a plugin project does without.
func Test(name string) bool {
	return strings.HasSuffix(name, "_test.go") || path.Base(name) == "tests.rs"
}
