package sqlstore

import (
	"fmt"

	"github.com/sallyport-ai/sallyport/core/store"
)

// sealed gives a shape the functions that encrypt a copy of a row on its way in, and decrypt a row on its way out.
func sealed[T any](s *shape, seal, open func(*store.Vault, *T) error) *shape {
	s.seal = func(v *store.Vault, row any) error { return seal(v, row.(*T)) }
	s.open = func(v *store.Vault, row any) error { return open(v, row.(*T)) }
	return s
}

func sealModel(v *store.Vault, m *store.Model) (err error) {
	m.LitellmParams, err = v.EncryptTexts(m.LitellmParams)
	return err
}

func openModel(v *store.Vault, m *store.Model) (err error) {
	if m.LitellmParams, err = v.DecryptTexts(m.LitellmParams); err != nil {
		return fmt.Errorf("model %s (%s): litellm_params.%w", m.ModelName, m.ModelID, err)
	}
	return nil
}

func sealCredential(v *store.Vault, c *store.Credential) (err error) {
	c.CredentialValues, err = v.EncryptTexts(c.CredentialValues)
	return err
}

func openCredential(v *store.Vault, c *store.Credential) (err error) {
	if c.CredentialValues, err = v.DecryptTexts(c.CredentialValues); err != nil {
		return fmt.Errorf("credential %s: credential_values.%w", c.CredentialName, err)
	}
	return nil
}

// sealObject encrypts what was said, if there is a key: unlike a vendor's key, it may lie there in plain.
func sealObject(v *store.Vault, o *store.Object) error {
	if v != nil {
		o.Body = v.Encrypt(o.Body)
	}
	return nil
}

func openObject(v *store.Vault, o *store.Object) (err error) {
	if o.Body, err = v.Decrypt(o.Body); err != nil {
		return fmt.Errorf("%s %s: %w", o.Kind, o.ID, err)
	}
	return nil
}

// variables is the section of the configuration whose values are encrypted.
const variables = "environment_variables"

func sealConfig(v *store.Vault, c *store.ConfigValue) (err error) {
	if c.ParamName == variables {
		c.ParamValue, err = v.EncryptTexts(c.ParamValue)
	}
	return err
}

func openConfig(v *store.Vault, c *store.ConfigValue) (err error) {
	if c.ParamName != variables {
		return nil
	}
	if c.ParamValue, err = v.DecryptTexts(c.ParamValue); err != nil {
		return fmt.Errorf("%s.%w", variables, err)
	}
	return nil
}
