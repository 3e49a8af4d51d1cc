package main

import "github.com/sallyport-ai/sallyport/sdk/go/scan"

// kind is a sort of credential: those of package scan, which have a form of their own, and two that are known by what is
// around them.
type kind uint8

const (
	none        = kind(scan.None)
	urlPassword = kind(scan.Kinds)
	assignment  = urlPassword + 1
	kinds       = assignment + 1
)

// String is the name in the configuration and in messages.
func (k kind) String() string {
	switch k {
	case urlPassword:
		return "url_password"
	case assignment:
		return "assignment"
	}
	return scan.Kind(k).String()
}

// types are the names of all kinds.
func types() []string {
	var names []string
	for k := none + 1; k < kinds; k++ {
		names = append(names, k.String())
	}
	return names
}

func kindOf(name string) kind {
	for k := none + 1; k < kinds; k++ {
		if k.String() == name {
			return k
		}
	}
	return none
}
