package snowflake_test

import (
	"os"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/provider/snowflake"
)

var update = providertest.UpdateFlag()

func deployment() *llm.Deployment {
	return providertest.Deployment(snowflake.Name, "vendor-model", "https://acc.snowflakecomputing.com/api/v2/cortex/v1")
}

func TestSuite(t *testing.T) {
	t.Parallel()
	providertest.Forms(t, snowflake.New(snowflake.Settings{}), deployment(), *update)
}

func FuzzProvider(f *testing.F) {
	providertest.Fuzz(f, snowflake.New(snowflake.Settings{}), deployment(), os.DirFS("testdata"))
}
