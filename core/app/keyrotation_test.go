package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

// TestRotationNeedsGrace shows that a gateway that would lock holders of keys out does not start.
func TestRotationNeedsGrace(t *testing.T) {
	t.Parallel()
	for want, env := range map[string][]string{
		"set LITELLM_KEY_ROTATION_GRACE_PERIOD": {"LITELLM_KEY_ROTATION_ENABLED=true"},
		"LITELLM_KEY_ROTATION_GRACE_PERIOD":     {"LITELLM_KEY_ROTATION_ENABLED=true", "LITELLM_KEY_ROTATION_GRACE_PERIOD=soon"},
	} {
		if _, err := apptest.Try(t, mockConfig, apptest.Env(env...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", env, err)
		}
	}
}
