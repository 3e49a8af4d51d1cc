//go:build !race

package spend

const raceDetector = false
