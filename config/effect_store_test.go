package config

// storeCases are the settings that say where the database is and how it is used. What they do is tested in
// core/app.TestDatabaseSettings.
func storeCases() []effectCase {
	general := func(path, yaml string, get func(GeneralSettings) any, want any) effectCase {
		return effectCase{
			path: "general_settings." + path, yaml: "general_settings:\n  " + yaml + "\n", want: want,
			get: func(c *Config) any { return get(c.GeneralSettings) },
		}
	}
	variable := func(name, value string, get func(Variables) any, want any) effectCase {
		return effectCase{path: name, env: []string{name + "=" + value}, want: want, get: func(c *Config) any { return get(c.Variables) }}
	}
	return append(keptCases(), []effectCase{
		general("database_url", "database_url: postgresql://h/n", func(g GeneralSettings) any { return g.DatabaseURL.Reveal() }, "postgresql://h/n"),
		general("database_connection_pool_limit", "database_connection_pool_limit: 7",
			func(g GeneralSettings) any { return *g.DatabaseConnectionPoolLimit }, 7),
		general("database_connection_timeout", "database_connection_timeout: 3",
			func(g GeneralSettings) any { return g.DatabaseConnectionTimeout.Duration().String() }, "3s"),
		general("disable_prisma_schema_update", "disable_prisma_schema_update: true",
			func(g GeneralSettings) any { return g.DisablePrismaSchemaUpdate }, true),
		variable("DATABASE_URL", "postgresql://h/n", func(v Variables) any { return v.DatabaseURL.Reveal() }, "postgresql://h/n"),
		variable("DATABASE_HOST", "h", func(v Variables) any { return v.DatabaseHost }, "h"),
		variable("DATABASE_PORT", "6432", func(v Variables) any { return v.DatabasePort }, "6432"),
		variable("DATABASE_NAME", "n", func(v Variables) any { return v.DatabaseName }, "n"),
		variable("DATABASE_USER", "u", func(v Variables) any { return v.DatabaseUser }, "u"),
		variable("DATABASE_USERNAME", "u", func(v Variables) any { return v.DatabaseUsername }, "u"),
		variable("DATABASE_PASSWORD", "p", func(v Variables) any { return v.DatabasePassword.Reveal() }, "p"),
		variable("DATABASE_SCHEMA", "s", func(v Variables) any { return v.DatabaseSchema }, "s"),
		variable("DIRECT_URL", "postgresql://h/n", func(v Variables) any { return v.DirectURL.Reveal() }, "postgresql://h/n"),
		variable("DISABLE_SCHEMA_UPDATE", "true", func(v Variables) any { return v.DisableSchemaUpdate }, true),
		variable("LITELLM_SALT_KEY", "s", func(v Variables) any { return v.SaltKey.Reveal() }, "s"),
		variable("IAM_TOKEN_DB_AUTH", "True", func(v Variables) any { return v.IAMTokenDBAuth }, true),
	}...)
}
