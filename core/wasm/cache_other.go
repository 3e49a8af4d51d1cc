//go:build !unix

package wasm

import "io/fs"

// private trusts the folder: on this system its permissions come from the user's profile.
func private(fs.FileInfo) bool { return true }
