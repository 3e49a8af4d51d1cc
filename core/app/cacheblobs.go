package app

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/azure"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/gcs"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/blob/s3"
	googlecredential "github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// blobTimeout is how long a lookup in a storage may take if nothing is said: an object is some tens of milliseconds away.
const blobTimeout = 500 * time.Millisecond

// s3Answers opens a bucket of Amazon's, or of another provider with the same API. Credentials that cache_params does not
// have are found as Amazon's clients find them.
func (b *builder) s3Answers(p config.CacheParams) (*answerStores, error) {
	source := b.amazon()
	o := source.Options(func(name string) string {
		switch name {
		case "aws_access_key_id":
			return p.S3AccessKey.Reveal()
		case "aws_secret_access_key":
			return p.S3SecretKey.Reveal()
		case "aws_session_token":
			return p.S3SessionToken.Reveal()
		case "aws_region_name":
			return p.S3Region
		}
		return ""
	})
	if o.Region == "" {
		o.Region = "us-east-1" // where S3 is if nobody says
	}
	if setting, problem := o.Check(); problem != "" {
		return nil, badParam(s3Setting(setting), "%s %s", s3Setting(setting), problem)
	}
	if p.S3Bucket == "" {
		return nil, badParam("s3_bucket_name", "no bucket is named")
	}
	if err := blob.CheckPrefix(p.S3Path); err != nil {
		return nil, badParam("s3_path", "%w", err)
	}
	api, err := s3.New(s3.Place{Bucket: p.S3Bucket, Region: o.Region, Endpoint: p.S3Endpoint, Plain: p.S3UseSSL != nil && !*p.S3UseSSL})
	if err != nil {
		name := "s3_bucket_name"
		if p.S3Endpoint != "" {
			name = "s3_endpoint_url"
		}
		return nil, badParam(name, "%w", err)
	}
	client, err := b.s3Client(p.S3Verify)
	if err != nil {
		return nil, badParam("s3_verify", "%w", err)
	}
	return b.blobs("S3", api, api.Target(), source.Signer(o, "s3"), client, p.S3Path), nil
}

// s3Setting is what cache_params calls a setting of credentials.
func s3Setting(name string) string {
	switch name {
	case "aws_access_key_id", "aws_secret_access_key":
		return "s3_" + name
	case "aws_region_name":
		return "s3_region_name"
	}
	return "s3_bucket_name"
}

// s3Client is the client that all clouds are asked with, unless s3_verify says whose certificates are good.
func (b *builder) s3Client(verify any) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	b.clouds.wire.prepare(t)
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch v := verify.(type) {
	case nil:
		return b.clouds.wire.client(), nil
	case bool:
		if v {
			return b.clouds.wire.client(), nil
		}
		t.TLSClientConfig.InsecureSkipVerify = true
	case string:
		pool, err := certificatesOf(v)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: t}, nil
}

// gcsAnswers opens a bucket of Google's.
func (b *builder) gcsAnswers(p config.CacheParams) (*answerStores, error) {
	if err := blob.CheckPrefix(p.GCSPath); err != nil {
		return nil, badParam("gcs_path", "%w", err)
	}
	env := b.cfg.Env()
	emulator := env.Get("STORAGE_EMULATOR_HOST")
	api, err := gcs.New(p.GCSBucket, emulator)
	if err != nil {
		return nil, badParam("gcs_bucket_name", "%w", err)
	}
	var signer llm.Signer // an emulator asks for no token
	if emulator == "" {
		source := googlecredential.New(googlecredential.Settings{Env: env.Get, Client: b.clouds.wire.client()})
		if signer, err = source.Signer(p.GCSServiceAccount); err != nil {
			return nil, badParam("gcs_path_service_account", "%w", err)
		}
	}
	return b.blobs("Google Cloud Storage", api, api.Target(), signer, b.clouds.wire.client(), p.GCSPath), nil
}

// azureAnswers opens a container of Azure's. The identity is that of the machine or of the environment, unless the account's
// address has a signature.
func (b *builder) azureAnswers(p config.CacheParams) (*answerStores, error) {
	api, err := azure.New(p.AzureAccountURL, p.AzureContainer)
	if err != nil {
		name := "azure_account_url"
		if p.AzureContainer == "" {
			name = "azure_blob_container"
		}
		return nil, badParam(name, "%w", err)
	}
	var signer llm.Signer
	if !api.Signed() {
		source := b.microsoft()
		o := source.Options(func(string) string { return "" })
		o.Scope, o.Machine = azure.Scope, true
		if setting, problem := o.Check(); problem != "" {
			return nil, badParam("azure_account_url", "the environment's identity of Azure: %s %s", setting, problem)
		}
		signer = source.Signer(o)
	}
	return b.blobs("Azure Blob Storage", api, api.Target(), signer, b.clouds.wire.client(), ""), nil
}

func (b *builder) blobs(name string, api blob.API, target *llm.Target, signer llm.Signer, client *http.Client, prefix string) *answerStores {
	s := blob.New(blob.Settings{Name: name, API: api, Target: target, Signer: signer, Client: client, Prefix: prefix})
	return b.remote(s, name, target.Scheme+"://"+target.Host, blobTimeout)
}
