package admin

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/store"
)

// keyRoutes are the routes of litellm/proxy/management_endpoints/key_management_endpoints.py.
func (a *API) keyRoutes() []route {
	return []route{
		{"POST", "/key/generate", users, a.generateKey},
		{"POST", "/key/service-account/generate", users, a.generateServiceKey},
		{"GET", "/key/info", everybody, a.keyInfo},
		{"POST", "/v2/key/info", everybody, a.keyInfos},
		{"GET", "/key/list", everybody, a.listKeys},
		{"GET", "/key/aliases", everybody, a.keyAliases},
		{"POST", "/key/update", users, a.updateKey},
		{"POST", "/key/bulk_update", adminOnly, a.updateKeys},
		{"POST", "/key/delete", users, a.deleteKeys},
		{"POST", "/key/block", users, func(c *call) (any, error) { return a.blockKey(c, true) }},
		{"POST", "/key/unblock", users, func(c *call) (any, error) { return a.blockKey(c, false) }},
		{"POST", "/key/regenerate", users, a.regenerateKey},
		{"POST", "/key/{key}/regenerate", users, a.regenerateKey},
		{"POST", "/key/{key}/reset_spend", users, a.resetKeySpend},
		{"POST", "/key/health", everybody, a.keyHealth},
	}
}

// hashOf is the hash that a key is stored under. What does not look like a key is taken for a hash, as in the reference.
func hashOf(key string) string {
	if !strings.HasPrefix(key, "sk-") {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// newKey makes a key: 128 random bits, as the reference does.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "sk-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// keyName is what is kept of a key for people to recognize it by.
func keyName(key string) store.Text { return store.Text("sk-..." + key[len(key)-4:]) }

func (a *API) zone() *time.Location {
	if a.Policy.Zone != nil {
		if z, err := time.LoadLocation(a.Policy.Zone()); err == nil {
			return z
		}
	}
	return time.UTC
}

func (a *API) forget(hashes ...string) {
	if a.Policy.Forget != nil {
		a.Policy.Forget(hashes...)
	}
}

func (a *API) generateKey(c *call) (any, error) { return a.newKeyFrom(c, false) }

// generateServiceKey makes a key that belongs to a team and to no person.
func (a *API) generateServiceKey(c *call) (any, error) { return a.newKeyFrom(c, true) }

func (a *API) newKeyFrom(c *call, service bool) (any, error) {
	var p keyParams
	err := c.bodyVia(&p, func(m map[string]any) (map[string]any, error) {
		if err := c.mayAsk(m); err != nil {
			return nil, err
		}
		fillDefaults(m, a.Policy.Defaults)
		if a.Policy.KeyGenerate != nil {
			return c.generatedBy(a.Policy.KeyGenerate, m)
		}
		return m, nil
	})
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	if service {
		if err := p.makeService(c); err != nil {
			return nil, err
		}
	}
	team, err := a.mayGenerate(c, &p, service)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(a.mayHave(c, &p, team), a.bounded(c, &p)); err != nil {
		return nil, err
	}
	return a.createKey(c, &p, team, service)
}

func (p *keyParams) makeService(c *call) error {
	if p.TeamID == nil || *p.TeamID == "" {
		return badRequest("team_id", "team_id is required for service account keys. Please specify `team_id` in the request body.")
	}
	if p.UserID != nil && *p.UserID != "" {
		return badRequest("user_id", "user_id is not allowed for service account keys. A service account belongs to its team alone.")
	}
	id := "service-account"
	if p.KeyAlias != nil && *p.KeyAlias != "" {
		id = *p.KeyAlias
	}
	if _, own := p.Metadata["service_account_id"]; !own && !c.given("service_account_id") {
		raw, err := json.Marshal(id)
		if err != nil {
			return err
		}
		c.sent["service_account_id"] = raw
	}
	return nil
}

// fillDefaults sets what a request leaves out or gives as null.
func fillDefaults(m, defaults map[string]any) {
	for name, v := range defaults {
		if m[name] == nil {
			m[name] = v
		}
	}
}

// createKey writes the key, and what it needs besides, in one transaction.
func (a *API) createKey(c *call, p *keyParams, team *store.Team, service bool) (any, error) {
	var row *store.Key
	var out map[string]any
	err := a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var key string
		if key, row, err = a.insertKey(c, tx, p, team, service); err != nil {
			return err
		}
		out, err = a.generated(c, tx, key, row, p) // a key that nobody could be told is not made
		return err
	})
	if err != nil {
		return nil, err
	}
	a.forget(row.Token) // it may be remembered as one that does not exist
	return out, nil
}

// holdTeam makes sure that the team a key is to belong to stays until the transaction ends: the key of a team that is
// deleted meanwhile would have nobody's limits.
func holdTeam(c *call, tx store.Store, k *store.Key) error {
	if k.TeamID == "" || !c.given("team_id") {
		return nil
	}
	_, err := tx.Teams().Update(c.ctx(), string(k.TeamID), func(*store.Team) error { return nil })
	if errors.Is(err, store.ErrNotFound) {
		return noTeam(string(k.TeamID))
	}
	return err
}

// insertKey is createKey in a transaction of the caller's, who then forgets the key's hash. It returns the key itself.
func (a *API) insertKey(c *call, tx store.Store, p *keyParams, team *store.Team, service bool) (string, *store.Key, error) {
	key := value(p.Key)
	if key == "" {
		key = newKey()
	}
	if err := checkKey(key); err != nil {
		return "", nil, err
	}
	now := store.Clean(a.Now())
	row := store.Key{Token: hashOf(key), KeyName: keyName(key), CreatedBy: c.actor(), UpdatedBy: c.actor(), CreatedAt: &now, UpdatedAt: &now}
	if err := p.apply(c, &row); err != nil {
		return "", nil, err
	}
	if !service && row.UserID == "" {
		row.UserID = store.Text(c.who.UserID)
	}
	if err := p.memberTerm(c, tx, &row, service); err != nil {
		return "", nil, err
	}
	if team != nil && row.OrganizationID == "" {
		row.OrganizationID = team.OrganizationID
	}
	if err := holdTeam(c, tx, &row); err != nil {
		return "", nil, err
	}
	if err := uniqueAlias(c, tx, &row, row.Token); err != nil {
		return "", nil, err
	}
	if err := a.keyParts(c, tx, p, &row); err != nil {
		return "", nil, err
	}
	if err := tx.Keys().Create(c.ctx(), &row); err != nil {
		return "", nil, keyConflict(err)
	}
	made, err := tx.Keys().Get(c.ctx(), row.Token) // with what the database fills in
	if err != nil {
		return "", nil, err
	}
	return key, made, c.audit(tx, "created", "LiteLLM_VerificationToken", row.Token, nil, made)
}

// checkKey refuses keys that could not be told from hashes, or be guessed. The key itself is not repeated.
func checkKey(key string) error {
	switch {
	case !strings.HasPrefix(key, "sk-"):
		return badRequest("key", "Invalid key format. LiteLLM Virtual Key must start with 'sk-'.")
	case len(key) < 8:
		return badRequest("key", "The key is too short: write at least 8 characters.")
	case len(key) > 512:
		return badRequest("key", "The key is longer than 512 characters.")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return badRequest("key", "The key holds a space or a character that no header can carry.")
		}
	}
	return nil
}

func keyConflict(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return badRequest("key", "There is a key like this already: choose another, or leave `key` out to have one made.")
	}
	if errors.Is(err, store.ErrReference) {
		return badRequest("", "The request names a budget, organization or other entry that does not exist.")
	}
	return err
}

// uniqueAlias refuses an alias that another key has than the one stored under the hash.
func uniqueAlias(c *call, tx store.Store, row *store.Key, hash string) error {
	if row.KeyAlias == "" {
		return nil
	}
	n, err := tx.Keys().Count(c.ctx(), store.Eq("key_alias", string(row.KeyAlias)), store.Where("token", store.NotEqual, hash))
	if err == nil && n > 0 {
		err = badRequest("key_alias", "Key with alias '"+string(row.KeyAlias)+"' already exists. Unique key aliases across all keys are required.")
	}
	return err
}

// keyParts makes the rows that a key refers to: the budget that carries a soft limit, which a key has no column for, and
// its object permission.
func (a *API) keyParts(c *call, tx store.Store, p *keyParams, row *store.Key) error {
	if err := putPermission(c, tx, p.ObjectPermission, &row.ObjectPermissionID); err != nil {
		return err
	}
	if p.SoftBudget == nil {
		if row.BudgetID == "" || !c.given("budget_id") {
			return nil
		}
		_, err := tx.Budgets().Get(c.ctx(), string(row.BudgetID))
		if errors.Is(err, store.ErrNotFound) {
			return badRequest("budget_id", "Budget not found, passed budget_id="+string(row.BudgetID))
		}
		return err
	}
	actor := string(c.actor())
	b := &store.Budget{
		SoftBudget: p.SoftBudget, ModelMaxBudget: object(p.ModelMaxBudget), CreatedBy: actor, UpdatedBy: actor,
	}
	if err := tx.Budgets().Create(c.ctx(), b); err != nil {
		return err
	}
	row.BudgetID = store.Text(b.BudgetID)
	return nil
}

// putPermission keeps an object permission, if one is given: in the place of the one with the id, or as a new one.
func putPermission(c *call, tx store.Store, p *store.ObjectPermission, id *store.Text) error {
	if p == nil {
		return nil
	}
	p.ObjectPermissionID = string(*id)
	if err := tx.ObjectPermissions().Put(c.ctx(), p); err != nil {
		return err
	}
	*id = store.Text(p.ObjectPermissionID)
	return nil
}

// generated is the answer to a new key: what was asked for, what was kept, and for the only time the key.
func (a *API) generated(c *call, s store.Store, key string, row *store.Key, p *keyParams) (map[string]any, error) {
	out, err := a.keyView(c, s, row)
	if err != nil {
		return nil, err
	}
	out["key"], out["token_id"], out["duration"], out["soft_budget"] = key, row.Token, p.Duration, p.SoftBudget
	out["router_settings"] = routerConfig(row.RouterSettings)
	meta, _ := out["metadata"].(map[string]any)
	for _, name := range []string{"tags", "guardrails", "enforced_params", "model_rpm_limit", "model_tpm_limit", "prompts",
		"rpm_limit_type", "tpm_limit_type", "allowed_passthrough_routes", "denied_passthrough_routes", "allowed_vector_store_indexes"} {
		out[name] = meta[name]
	}
	return out, nil
}

// members is the JSON form of a row as a map.
func members(row any) (map[string]any, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(raw, &m)
}

// findKey reads a key by itself or its hash, for a caller who may see it.
func (a *API) findKey(c *call, key string) (*store.Key, error) {
	row, err := a.Store.Keys().Get(c.ctx(), hashOf(key))
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("key", "Key not found in database")
	}
	if err != nil {
		return nil, err
	}
	if may, err := a.maySeeKey(c, row); err != nil || !may {
		if err == nil {
			err = forbidden("You are not allowed to access this key's info. Your role=" + string(c.who.Role))
		}
		return nil, err
	}
	return row, nil
}

func (a *API) keyInfo(c *call) (any, error) {
	key := c.query("key")
	if key == "" {
		key = c.who.KeyHash
	}
	row, err := a.findKey(c, key)
	if err != nil {
		return nil, err
	}
	info, err := a.keyView(c, a.Store, row)
	delete(info, "token")
	return map[string]any{"key": key, "info": info}, err
}

func (a *API) keyInfos(c *call) (any, error) {
	var q struct {
		Keys []string `json:"keys"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.Keys) == 0 {
		return nil, missing("keys")
	}
	var found []store.Key
	for _, k := range q.Keys {
		row, err := a.findKey(c, k)
		if err != nil {
			if asError(err).HTTPStatus() == http.StatusNotFound {
				continue
			}
			return nil, err
		}
		found = append(found, *row)
	}
	infos, err := a.keyViews(c, a.Store, found)
	return map[string]any{"key": q.Keys, "info": infos}, err
}

func (a *API) deleteKeys(c *call) (any, error) {
	var q struct {
		Keys    []string `json:"keys"`
		Aliases []string `json:"key_aliases"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if len(q.Keys) == 0 && len(q.Aliases) == 0 {
		return nil, badRequest("keys", "At least one of 'keys' or 'key_aliases' must be provided.")
	}
	rows, err := a.keysNamed(c, q.Keys, q.Aliases)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for i := range rows {
		if err := a.mayChangeKey(c, &rows[i], "/key/delete"); err != nil {
			return nil, err
		}
		tokens = append(tokens, rows[i].Token)
	}
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		gone, err := tx.Keys().Archive(c.ctx(), tokens, c.deletion())
		for i := range gone {
			if err == nil {
				err = c.audit(tx, "deleted", "LiteLLM_VerificationToken", gone[i].Token, gone[i], nil)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.forget(tokens...)
	deleted := q.Keys
	if len(deleted) == 0 {
		deleted = q.Aliases
	}
	return map[string]any{"deleted_keys": deleted}, nil
}

// keysNamed reads keys by themselves, hashes or aliases. All must exist.
func (a *API) keysNamed(c *call, keys, aliases []string) ([]store.Key, error) {
	hashes := make([]string, 0, len(keys))
	for _, k := range keys {
		if h := hashOf(k); !slices.Contains(hashes, h) {
			hashes = append(hashes, h)
		}
	}
	column, values := "token", hashes
	if len(keys) == 0 {
		column, values = "key_alias", slices.Compact(slices.Sorted(slices.Values(aliases)))
	}
	rows, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf(column, values)}})
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if !slices.ContainsFunc(rows, func(k store.Key) bool { return k.Token == v || column == "key_alias" && string(k.KeyAlias) == v }) {
			return nil, notFound("key", "Key not found in database. "+column+"="+v)
		}
	}
	return rows, nil
}

func (a *API) blockKey(c *call, blocked bool) (any, error) {
	var q struct {
		Key string `json:"key"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Key == "" {
		return nil, missing("key")
	}
	action := map[bool]string{true: "blocked", false: "updated"}[blocked]
	path := map[bool]string{true: "/key/block", false: "/key/unblock"}[blocked]
	row, err := a.changeKey(c, q.Key, path, action, func(_ store.Store, k *store.Key) error {
		k.Blocked = &blocked
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.keyView(c, a.Store, row)
}

// changeKey changes one key and writes down who did.
func (a *API) changeKey(c *call, key, path, action string, change func(tx store.Store, k *store.Key) error) (*store.Key, error) {
	row, err := a.findKey(c, key)
	if err != nil {
		return nil, err
	}
	if err := a.mayChangeKey(c, row, path); err != nil {
		return nil, err
	}
	commands, err := a.commands(c, row)
	if err != nil {
		return nil, err
	}
	var next *store.Key
	err = a.Store.Tx(c.ctx(), func(tx store.Store) (err error) {
		var before store.Key
		next, err = tx.Keys().Update(c.ctx(), row.Token, func(k *store.Key) error {
			before = *k
			k.UpdatedBy = c.actor()
			if err := change(tx, k); err != nil {
				return err
			}
			return c.mayAlter(commands, &before, k)
		})
		if err != nil {
			return keyConflict(err)
		}
		return c.audit(tx, action, "LiteLLM_VerificationToken", row.Token, before, next)
	})
	a.forget(row.Token)
	return next, err
}
