package polly_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/polly"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
)

var update = providertest.UpdateFlag()

func newSettings() polly.Settings {
	return polly.Settings{Account: func(d *llm.Deployment, _, _ string) (string, llm.Signer, error) {
		if region := d.Setting("aws_region_name"); region != "" {
			return region, nil, nil
		}
		return "us-east-1", nil, nil
	}}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Only: true, Target: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: polly.Name, Model: "long-form"}
	providertest.Run(t, polly.New(newSettings()), d, os.DirFS("testdata"), o)
}

func TestEngine(t *testing.T) {
	t.Parallel()
	d := &llm.Deployment{Group: "mine", Provider: polly.Name, Model: "loud"}
	if _, err := polly.New(newSettings()).Bind(d); err == nil || !strings.Contains(err.Error(), "litellm_params.model must be an engine") {
		t.Errorf("an engine that is none gave %v", err)
	}
}

func FuzzProvider(f *testing.F) {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: polly.Name, Model: "neural"}
	providertest.Fuzz(f, polly.New(newSettings()), d, os.DirFS("testdata"))
}
