package snowflake_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/snowflake"
)

var update = providertest.UpdateFlag()

func TestSuite(t *testing.T) {
	t.Parallel()
	o := providertest.Options{Target: true, Only: true}
	if *update {
		o.Update = "testdata"
	}
	d := &llm.Deployment{
		ID: "d1", Group: "mine", Provider: snowflake.Name, Model: "vendor-model", APIKey: "sk-0123456789abc", Base: "https://acc.snowflakecomputing.com/api/v2/cortex/v1",
	}
	providertest.Run(t, snowflake.New(snowflake.Settings{}), d, os.DirFS("testdata"), o)
}
