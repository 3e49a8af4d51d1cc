// Package config reads the file an operator writes: the types of its
// sections in LiteLLM's shape, the loader, the schema of every setting and
// environment variable, and the report behind "sallyport config check".
//
// It is a leaf: it imports nothing of this module. app turns each section
// into the settings of one package.
package config
