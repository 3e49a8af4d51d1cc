package config

// LoginSettings are those of general_settings about how people sign in and
// what keys they may make.
type LoginSettings struct {
	// CustomKeyGenerate, CustomSSO and CustomSignIn are paths of WebAssembly
	// plugins, as written.
	CustomKeyGenerate         string        `config:"custom_key_generate"`
	CustomKeyGenerateSettings PluginOptions `config:"custom_key_generate_settings"`
	CustomSSO                 string        `config:"custom_sso"`
	CustomSSOSettings         PluginOptions `config:"custom_sso_settings"`
	CustomSignIn              string        `config:"custom_ui_sso_sign_in_handler"`
	CustomSignInSettings      PluginOptions `config:"custom_ui_sso_sign_in_handler_settings"`
	// UIAccessMode is "all", "admin_only" or an object; see AdminsOnly.
	UIAccessMode any `config:"ui_access_mode"`
	// DisableMasterKeyReturn leaves the master key's row out of lists of keys.
	DisableMasterKeyReturn bool `config:"disable_master_key_return"`
	AllowUserAuth          bool `config:"allow_user_auth"`
}

// AdminsOnly reports whether only administrators may sign in.
func (s LoginSettings) AdminsOnly() bool { return s.UIAccessMode == "admin_only" }

// LoginVariables are the environment variables about identity providers and
// the login with a password.
type LoginVariables struct {
	GenericClientID              string `config:"GENERIC_CLIENT_ID"`
	GenericClientSecret          Secret `config:"GENERIC_CLIENT_SECRET"`
	GenericAuthorizationEndpoint string `config:"GENERIC_AUTHORIZATION_ENDPOINT"`
	GenericTokenEndpoint         string `config:"GENERIC_TOKEN_ENDPOINT"`
	GenericUserinfoEndpoint      string `config:"GENERIC_USERINFO_ENDPOINT"`
	GenericScope                 string `config:"GENERIC_SCOPE"`
	GenericClientState           string `config:"GENERIC_CLIENT_STATE"`
	GenericIncludeClientID       bool   `config:"GENERIC_INCLUDE_CLIENT_ID"`
	// GenericClientUsePKCE is nil when nothing is said.
	GenericClientUsePKCE *bool `config:"GENERIC_CLIENT_USE_PKCE"`
	// UserIDAttribute is empty when nothing is said: preferred_username, with
	// OPENID_BASE_URL sub.
	UserIDAttribute          string `config:"GENERIC_USER_ID_ATTRIBUTE"`
	UserEmailAttribute       string `config:"GENERIC_USER_EMAIL_ATTRIBUTE"`
	UserDisplayNameAttribute string `config:"GENERIC_USER_DISPLAY_NAME_ATTRIBUTE"`
	UserFirstNameAttribute   string `config:"GENERIC_USER_FIRST_NAME_ATTRIBUTE"`
	UserLastNameAttribute    string `config:"GENERIC_USER_LAST_NAME_ATTRIBUTE"`
	UserProviderAttribute    string `config:"GENERIC_USER_PROVIDER_ATTRIBUTE"`
	UserRoleAttribute        string `config:"GENERIC_USER_ROLE_ATTRIBUTE"`
	OpenIDBaseURL            string `config:"OPENID_BASE_URL"`
	OpenIDClientID           string `config:"OPENID_CLIENT_ID"`
	OpenIDClientSecret       Secret `config:"OPENID_CLIENT_SECRET"`
	GoogleClientID           string `config:"GOOGLE_CLIENT_ID"`
	GoogleClientSecret       Secret `config:"GOOGLE_CLIENT_SECRET"`
	MicrosoftClientID        string `config:"MICROSOFT_CLIENT_ID"`
	MicrosoftClientSecret    Secret `config:"MICROSOFT_CLIENT_SECRET"`
	MicrosoftTenant          string `config:"MICROSOFT_TENANT"`
	AllowedEmailDomains      string `config:"ALLOWED_EMAIL_DOMAINS"`
	// ProxyAdminID is never empty.
	ProxyAdminID string `config:"PROXY_ADMIN_ID"`
	UIUsername   string `config:"UI_USERNAME"` // never empty
	// UIPassword is empty when the master key is the password.
	UIPassword     Secret `config:"UI_PASSWORD"`
	DisableAdminUI bool   `config:"DISABLE_ADMIN_UI"`
	// ProxyLogoutURL is empty when the login page is meant.
	ProxyLogoutURL string `config:"PROXY_LOGOUT_URL"`
	// PluginDir is a folder with plugins.
	PluginDir string `config:"SALLYPORT_PLUGIN_DIR"`
}

// readLoginVariables fills LoginVariables; the checker has refused bad values.
func readLoginVariables(env *Env) LoginVariables {
	or := func(name, otherwise string) string {
		if v := env.Get(name); v != "" {
			return v
		}
		return otherwise
	}
	v := LoginVariables{
		GenericClientID: env.Get("GENERIC_CLIENT_ID"), GenericClientSecret: Secret(env.Get("GENERIC_CLIENT_SECRET")),
		GenericAuthorizationEndpoint: env.Get("GENERIC_AUTHORIZATION_ENDPOINT"), GenericTokenEndpoint: env.Get("GENERIC_TOKEN_ENDPOINT"),
		GenericUserinfoEndpoint: env.Get("GENERIC_USERINFO_ENDPOINT"), GenericScope: or("GENERIC_SCOPE", "openid email profile"),
		GenericClientState: env.Get("GENERIC_CLIENT_STATE"),
		UserIDAttribute:    env.Get("GENERIC_USER_ID_ATTRIBUTE"), UserEmailAttribute: or("GENERIC_USER_EMAIL_ATTRIBUTE", "email"),
		UserDisplayNameAttribute: or("GENERIC_USER_DISPLAY_NAME_ATTRIBUTE", "sub"),
		UserFirstNameAttribute:   or("GENERIC_USER_FIRST_NAME_ATTRIBUTE", "first_name"),
		UserLastNameAttribute:    or("GENERIC_USER_LAST_NAME_ATTRIBUTE", "last_name"),
		UserProviderAttribute:    or("GENERIC_USER_PROVIDER_ATTRIBUTE", "provider"),
		UserRoleAttribute:        or("GENERIC_USER_ROLE_ATTRIBUTE", "role"),
		OpenIDBaseURL:            env.Get("OPENID_BASE_URL"), OpenIDClientID: env.Get("OPENID_CLIENT_ID"),
		OpenIDClientSecret: Secret(env.Get("OPENID_CLIENT_SECRET")),
		GoogleClientID:     env.Get("GOOGLE_CLIENT_ID"), GoogleClientSecret: Secret(env.Get("GOOGLE_CLIENT_SECRET")),
		MicrosoftClientID: env.Get("MICROSOFT_CLIENT_ID"), MicrosoftClientSecret: Secret(env.Get("MICROSOFT_CLIENT_SECRET")),
		MicrosoftTenant:     env.Get("MICROSOFT_TENANT"),
		AllowedEmailDomains: env.Get("ALLOWED_EMAIL_DOMAINS"), ProxyAdminID: or("PROXY_ADMIN_ID", "default_user_id"),
		UIUsername: or("UI_USERNAME", "admin"), UIPassword: Secret(env.Get("UI_PASSWORD")),
		PluginDir: env.Get("SALLYPORT_PLUGIN_DIR"), ProxyLogoutURL: env.Get("PROXY_LOGOUT_URL"),
	}
	v.DisableAdminUI, _ = parseBool(env.Get("DISABLE_ADMIN_UI"))
	v.GenericIncludeClientID, _ = parseBool(env.Get("GENERIC_INCLUDE_CLIENT_ID"))
	if s := env.Get("GENERIC_CLIENT_USE_PKCE"); s != "" {
		on, _ := parseBool(s)
		v.GenericClientUsePKCE = &on
	}
	return v
}
