// Package plugintool does the work of `sallyport plugin`: it makes plugin projects, compiles them, says what a module
// is without running it, tries a hook on a request, and measures it. Hooks run in the gateway's own host.
package plugintool
