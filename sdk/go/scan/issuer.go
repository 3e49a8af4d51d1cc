package scan

// issuer says whose tokens begin like a word, and how long they are at least; 0 is for a word that is none. It looks at
// three letters first, so that other words cost little.
func issuer(w string) (k Kind, least int) {
	if len(w) < 16 {
		return None, 0
	}
	switch w[:3] {
	case "AKI", "ASI", "ABI", "ACC":
		if w[3] == 'A' && len(w) == 20 {
			return AWSAccessKey, 20
		}
	case "AIz":
		return prefixed(w, "AIza", GoogleKey, 39)
	case "GOC":
		return prefixed(w, "GOCSPX-", GoogleKey, 35)
	case "ya2":
		return prefixed(w, "ya29", GoogleKey, 4)
	case "ghp", "gho", "ghu", "ghs", "ghr":
		if w[3] == '_' {
			return GitHubToken, 40
		}
	case "git":
		return prefixed(w, "github_pat_", GitHubToken, 50)
	case "xox":
		if w[4] == '-' || w[5] == '-' {
			return SlackToken, 24
		}
	case "xap":
		return prefixed(w, "xapp-", SlackToken, 24)
	case "sk-":
		if len(w) >= 7 && w[3:7] == "ant-" {
			return AnthropicKey, 24
		}
		return OpenAIKey, 23
	case "sk_", "rk_", "pk_", "whs":
		return stripe(w)
	}
	if w[0] == 'g' && w[1] == 'l' {
		return gitlab(w)
	}
	return vendor(w)
}

func prefixed(w, prefix string, k Kind, least int) (Kind, int) {
	if len(w) < len(prefix) || w[:len(prefix)] != prefix {
		return None, 0
	}
	return k, least
}

func stripe(w string) (Kind, int) {
	switch {
	case w[:3] == "pk_": // published on purpose
		return None, 0
	case w[:3] == "whs":
		return prefixed(w, "whsec_", StripeKey, 30)
	case w[3:8] == "live_", w[3:8] == "test_":
		return StripeKey, 24
	}
	return None, 0
}

// gitlab knows the tokens of GitLab, which begin with "gl", their kind and a hyphen, and those of Grafana.
func gitlab(w string) (Kind, int) {
	for _, p := range [...]string{"glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glagent-", "glimt-", "gloas-", "glsoat-", "glffct-"} {
		if k, least := prefixed(w, p, GitLabToken, len(p)+20); k != None {
			return k, least
		}
	}
	if k, least := prefixed(w, "glsa_", VendorKey, 40); k != None {
		return k, least
	}
	return prefixed(w, "glc_", VendorKey, 36)
}

// vendor knows tokens of vendors by their prefix.
func vendor(w string) (Kind, int) {
	type format struct {
		prefix string
		least  int
	}
	for _, f := range [...]format{
		{"hf_", 34}, {"gsk_", 44}, {"r8_", 36}, {"pplx-", 40}, {"xai-", 60}, {"npm_", 36}, {"pypi-AgE", 60}, {"SG", 2},
		{"dop_v1_", 60}, {"doo_v1_", 60}, {"shpat_", 36}, {"shpss_", 36}, {"lin_api_", 40}, {"figd_", 40}, {"ntn_", 40},
		{"dckr_pat_", 30}, {"hvs", 3}, {"sntrys_", 40}, {"AGE-SECRET-KEY-1", 60}, {"tvly-", 30}, {"fw_", 24}, {"nvapi-", 60},
		{"lsv2_", 40}, {"PMAK-", 50}, {"rubygems_", 50}, {"dapi", 36}, {"EAAC", 60}, {"sq0", 24},
	} {
		if w[0] == f.prefix[0] && len(w) >= len(f.prefix) && w[:len(f.prefix)] == f.prefix {
			return VendorKey, f.least
		}
	}
	return None, 0
}
