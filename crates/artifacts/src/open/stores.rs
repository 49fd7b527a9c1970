//! Clients of object stores, made for one plan.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::ClientConfigKey;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, ObjectStore, Result, RetryConfig, StaticCredentialProvider};
use reqwest::Url;

use crate::guard::Connector;
use crate::options::ArtifactOptions;
use crate::plan::{
    AzureContainer, AzureCredentials, GcsBucket, GcsCredentials, S3Bucket, S3Credentials, Store,
};

/// Where clouds hand out credentials to pods: EC2, ECS, EKS, Google and Azure (whose address is EC2's).
const VOUCHING: [&str; 7] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "metadata.google.internal",
    "metadata",
];
/// Environment variables that name another one.
const VOUCHING_VARIABLES: [&str; 3] =
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_ENDPOINT_URL_STS", "AZURE_AUTHORITY_HOST"];

/// The hosts that hand out credentials to this pod.
pub(super) fn vouching(options: &ArtifactOptions) -> Vec<String> {
    let named = VOUCHING_VARIABLES.iter().filter_map(|name| {
        let url = Url::parse(options.variable(name)?).ok()?;
        url.host_str().map(str::to_owned)
    });
    VOUCHING.iter().map(|host| (*host).to_owned()).chain(named).collect()
}

/// Makes the client; it connects to nothing yet.
pub(super) fn build(
    store: &Store,
    mut connector: Connector,
    options: &ArtifactOptions,
    retries: RetryConfig,
) -> Result<Arc<dyn ObjectStore>> {
    let ambient = match store {
        Store::S3(bucket) => bucket.credentials == S3Credentials::Ambient,
        Store::Gcs(bucket) => matches!(bucket.credentials, GcsCredentials::Ambient),
        Store::Azure(container) => container.credentials == AzureCredentials::Ambient,
    };
    if !ambient {
        connector.vouching.clear();
    }
    Ok(match store {
        Store::S3(bucket) => {
            Arc::new(s3(bucket, options).with_http_connector(connector).with_retry(retries).build()?)
        }
        Store::Gcs(bucket) => {
            Arc::new(gcs(bucket, options).with_http_connector(connector).with_retry(retries).build()?)
        }
        Store::Azure(container) => {
            Arc::new(azure(container, options).with_http_connector(connector).with_retry(retries).build()?)
        }
    })
}

fn s3(bucket: &S3Bucket, options: &ArtifactOptions) -> AmazonS3Builder {
    use AmazonS3ConfigKey as Key;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_client_options(plain_http())
        .with_unsigned_payload(true);
    builder = builder
        .with_endpoint(&bucket.endpoint.url)
        .with_virtual_hosted_style_request(bucket.endpoint.virtual_hosted);
    match &bucket.credentials {
        S3Credentials::Anonymous => {
            builder.with_skip_signature(true).with_access_key_id("").with_secret_access_key("")
        }
        S3Credentials::Keys { id, secret, token } => {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            match token {
                Some(token) => builder.with_token(token),
                None => builder,
            }
        }
        S3Credentials::Ambient => {
            for (variable, key) in [
                ("AWS_ACCESS_KEY_ID", Key::AccessKeyId),
                ("AWS_SECRET_ACCESS_KEY", Key::SecretAccessKey),
                ("AWS_SESSION_TOKEN", Key::Token),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile),
                ("AWS_ROLE_ARN", Key::RoleArn),
                ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName),
                ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
                ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Key::ContainerCredentialsRelativeUri),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Key::ContainerCredentialsFullUri),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Key::ContainerAuthorizationTokenFile),
            ] {
                if let Some(value) = options.variable(variable) {
                    builder = builder.with_config(key, value);
                }
            }
            builder
        }
    }
}

fn gcs(bucket: &GcsBucket, options: &ArtifactOptions) -> GoogleCloudStorageBuilder {
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket.name)
        .with_base_url(&bucket.base_url)
        .with_client_options(plain_http());
    match &bucket.credentials {
        GcsCredentials::Json(json) => builder.with_service_account_key(json),
        GcsCredentials::KeyFile(path) => builder.with_service_account_path(path.to_string_lossy()),
        GcsCredentials::Anonymous => {
            let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
            builder.with_credentials(Arc::new(nobody)).with_skip_signature(true)
        }
        GcsCredentials::Ambient => match options.variable("GOOGLE_APPLICATION_CREDENTIALS") {
            Some(path) => builder.with_application_credentials(path),
            None => builder,
        },
    }
}

fn azure(container: &AzureContainer, options: &ArtifactOptions) -> MicrosoftAzureBuilder {
    use AzureConfigKey as Key;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&container.account)
        .with_container_name(&container.container)
        .with_endpoint(container.endpoint.clone())
        .with_client_options(plain_http());
    match &container.credentials {
        AzureCredentials::AccountKey(key) => builder.with_access_key(key),
        AzureCredentials::Sas(query) => builder.with_config(Key::SasKey, query),
        AzureCredentials::Anonymous => builder.with_skip_signature(true).with_bearer_token_authorization(""),
        AzureCredentials::Client { id, secret, tenant, authority } => builder
            .with_config(Key::AuthorityHost, authority)
            .with_client_secret_authorization(id, secret, tenant),
        AzureCredentials::Ambient => {
            for (variable, key) in [
                ("AZURE_CLIENT_ID", Key::ClientId),
                ("AZURE_CLIENT_SECRET", Key::ClientSecret),
                ("AZURE_TENANT_ID", Key::AuthorityId),
                ("AZURE_FEDERATED_TOKEN_FILE", Key::FederatedTokenFile),
                ("AZURE_AUTHORITY_HOST", Key::AuthorityHost),
            ] {
                if let Some(value) = options.variable(variable) {
                    builder = builder.with_config(key, value);
                }
            }
            builder
        }
    }
}

/// Whether plain HTTP may be used was decided before.
fn plain_http() -> ClientOptions {
    ClientOptions::new().with_config(ClientConfigKey::AllowHttp, "true")
}
