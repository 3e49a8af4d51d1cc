package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// profileName is the file in a gateway's folder that it writes its profile to when it ends.
const profileName = "cpu.pprof"

// writeProfile makes one profile of those the gateways left behind, without the paths and the hour of this machine:
// two runs that saw the same write the same.
func (f *fleet) writeProfile(name string) error {
	files, err := filepath.Glob(filepath.Join(f.dir, "*", profileName))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no gateway ran, so there is no profile")
	}
	var profiles []*profile.Profile
	for _, file := range files {
		p, err := readProfile(file)
		if err != nil {
			return fmt.Errorf("profile of a gateway: %w", err)
		}
		profiles = append(profiles, p)
	}
	merged, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	merged.TimeNanos, merged.DurationNanos = 0, 0
	for _, m := range merged.Mapping {
		m.File, m.BuildID = "sallyport", ""
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(merged.Write(out), out.Close())
}

func readProfile(name string) (*profile.Profile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return profile.Parse(file)
}
