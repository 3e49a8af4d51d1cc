package main

// kind is a sort of credential.
type kind uint8

const (
	none kind = iota
	awsAccessKey
	awsSecretKey
	googleKey
	githubToken
	gitlabToken
	slackToken
	stripeKey
	openaiKey
	anthropicKey
	vendorKey
	privateKey
	jwt
	urlPassword
	assignment
	kinds
)

// String is the name in the configuration and in messages.
func (k kind) String() string {
	switch k {
	case awsAccessKey:
		return "aws_access_key"
	case awsSecretKey:
		return "aws_secret_key"
	case googleKey:
		return "google_key"
	case githubToken:
		return "github_token"
	case gitlabToken:
		return "gitlab_token"
	case slackToken:
		return "slack_token"
	case stripeKey:
		return "stripe_key"
	case openaiKey:
		return "openai_key"
	case anthropicKey:
		return "anthropic_key"
	case vendorKey:
		return "vendor_key"
	case privateKey:
		return "private_key"
	case jwt:
		return "jwt"
	case urlPassword:
		return "url_password"
	case assignment:
		return "assignment"
	}
	return "none"
}

// types are the names of all kinds.
func types() []string {
	var names []string
	for k := none + 1; k < kinds; k++ {
		names = append(names, k.String())
	}
	return names
}

func kindOf(name string) kind {
	for k := none + 1; k < kinds; k++ {
		if k.String() == name {
			return k
		}
	}
	return none
}

// issuer says whose tokens begin like a word, and how long they are at least; 0 is for a word that is none. It looks at
// three letters first, so that other words cost little.
func issuer(w string) (k kind, least int) {
	if len(w) < 16 {
		return none, 0
	}
	switch w[:3] {
	case "AKI", "ASI", "ABI", "ACC":
		if w[3] == 'A' && len(w) == 20 {
			return awsAccessKey, 20
		}
	case "AIz":
		return prefixed(w, "AIza", googleKey, 39)
	case "GOC":
		return prefixed(w, "GOCSPX-", googleKey, 35)
	case "ya2":
		return prefixed(w, "ya29", googleKey, 4)
	case "ghp", "gho", "ghu", "ghs", "ghr":
		if w[3] == '_' {
			return githubToken, 40
		}
	case "git":
		return prefixed(w, "github_pat_", githubToken, 50)
	case "xox":
		if w[4] == '-' || w[5] == '-' {
			return slackToken, 24
		}
	case "xap":
		return prefixed(w, "xapp-", slackToken, 24)
	case "sk-":
		if len(w) >= 7 && w[3:7] == "ant-" {
			return anthropicKey, 24
		}
		return openaiKey, 23
	case "sk_", "rk_", "pk_", "whs":
		return stripe(w)
	}
	if w[0] == 'g' && w[1] == 'l' {
		return gitlab(w)
	}
	return vendor(w)
}

func prefixed(w, prefix string, k kind, least int) (kind, int) {
	if len(w) < len(prefix) || w[:len(prefix)] != prefix {
		return none, 0
	}
	return k, least
}

func stripe(w string) (kind, int) {
	switch {
	case w[:3] == "pk_": // published on purpose
		return none, 0
	case w[:3] == "whs":
		return prefixed(w, "whsec_", stripeKey, 30)
	case w[3:8] == "live_", w[3:8] == "test_":
		return stripeKey, 24
	}
	return none, 0
}

// gitlab knows the tokens of GitLab, which begin with "gl", their kind and a hyphen, and those of Grafana.
func gitlab(w string) (kind, int) {
	for _, p := range [...]string{"glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glagent-", "glimt-", "gloas-", "glsoat-", "glffct-"} {
		if k, least := prefixed(w, p, gitlabToken, len(p)+20); k != none {
			return k, least
		}
	}
	if k, least := prefixed(w, "glsa_", vendorKey, 40); k != none {
		return k, least
	}
	return prefixed(w, "glc_", vendorKey, 36)
}

// vendor knows tokens of vendors by their prefix.
func vendor(w string) (kind, int) {
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
			return vendorKey, f.least
		}
	}
	return none, 0
}
