//! Signature Version 4 of S3, for URLs and forms that we hand out or use ourselves.
//!
//! # Source
//! "Authenticating Requests: Using Query Parameters" and "Browser-Based Uploads Using POST" of the S3 API reference,
//! whose examples are the tests.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use serde_json::json;

use super::{Announced, hex, percent_encoded};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs, and for which region.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) region: String,
}

/// A request to be signed in its URL.
pub(super) struct Presigned<'a> {
    pub(super) method: &'a str,
    /// With the port, if the URL has one.
    pub(super) host: &'a str,
    /// Decoded, from the slash on.
    pub(super) path: &'a str,
    /// For how many seconds.
    pub(super) expires: u64,
}

impl Signer {
    fn scope(&self, now: DateTime<Utc>) -> String {
        format!("{}/{}/s3/aws4_request", now.format("%Y%m%d"), self.region)
    }

    fn credential(&self, now: DateTime<Utc>) -> String {
        format!("{}/{}", self.key_id, self.scope(now))
    }

    fn sign(&self, now: DateTime<Utc>, text: &str) -> String {
        let mac = |key: &[u8], data: &str| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes());
            tag.as_ref().to_vec()
        };
        let date = mac(format!("AWS4{}", self.secret).as_bytes(), &now.format("%Y%m%d").to_string());
        let key = mac(&mac(&mac(&date, &self.region), "s3"), "aws4_request");
        hex(&mac(&key, text))
    }

    /// Path and query with the signature.
    pub(super) fn presign(&self, now: DateTime<Utc>, request: &Presigned<'_>) -> String {
        let Presigned { method, host, path, expires } = request;
        let path = percent_encoded(path, true);
        let date = amz_date(now);
        let query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={expires}\
             &X-Amz-SignedHeaders=host",
            percent_encoded(&self.credential(now), false)
        );
        let canonical = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("{ALGORITHM}\n{date}\n{}\n{hash}", self.scope(now));
        format!("{path}?{query}&X-Amz-Signature={}", self.sign(now, &to_sign))
    }

    /// The fields of a form that lets one object with exactly these bytes into a bucket.
    pub(super) fn form(
        &self,
        now: DateTime<Utc>,
        announced: &Announced,
        expires: TimeDelta,
    ) -> Vec<(String, String)> {
        let Announced { pfn, size, sha256 } = announced;
        let checksum = BASE64_STANDARD.encode(sha256);
        let (credential, date) = (self.credential(now), amz_date(now));
        let policy = json!({
            "expiration": (now + expires).to_rfc3339_opts(SecondsFormat::Millis, true),
            "conditions": [
                ["content-length-range", size, size],
                {"x-amz-checksum-algorithm": "sha256"},
                {"x-amz-checksum-sha256": checksum},
                {"bucket": pfn.bucket()},
                {"key": pfn.key()},
                {"x-amz-algorithm": ALGORITHM},
                {"x-amz-credential": credential},
                {"x-amz-date": date},
            ],
        });
        let policy = BASE64_STANDARD.encode(policy.to_string());
        let signature = self.sign(now, &policy);
        [
            ("x-amz-checksum-algorithm", "sha256".to_owned()),
            ("x-amz-checksum-sha256", checksum),
            ("key", pfn.key().to_owned()),
            ("x-amz-algorithm", ALGORITHM.to_owned()),
            ("x-amz-credential", credential),
            ("x-amz-date", date),
            ("policy", policy),
            ("x-amz-signature", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

fn amz_date(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The region in the name of one of Amazon's hosts; others have the first one.
pub(super) fn region_of(host: &str) -> String {
    let host = host.split(':').next().unwrap_or_default();
    let region = host.strip_suffix(".amazonaws.com").and_then(|rest| {
        let rest = rest.strip_prefix("s3.").or_else(|| rest.strip_prefix("s3-"))?;
        Some(rest.strip_prefix("dualstack.").unwrap_or(rest))
    });
    region.filter(|region| region.contains('-')).unwrap_or("us-east-1").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amazon() -> Signer {
        Signer {
            key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
        }
    }

    #[test]
    fn urls_are_signed_as_in_amazons_example() {
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let request = Presigned {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            expires: 86_400,
        };
        assert_eq!(
            amazon().presign(now, &request),
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn policies_are_signed_as_in_amazons_example() {
        let policy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
        assert_eq!(
            amazon().sign("2015-12-29T00:00:00Z".parse().unwrap(), policy),
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
        );
    }

    #[test]
    fn a_form_permits_exactly_what_was_announced() {
        let pfn = format!("/S3/sandboxes/lhcb/users/alice/sha256:{}.tar.zst", "ab".repeat(32));
        let announced = Announced { pfn: pfn.parse().unwrap(), size: 21, sha256: [0xab; 32] };
        let now = "2026-11-22T20:51:18.7Z".parse().unwrap();
        let form = amazon().form(now, &announced, TimeDelta::seconds(300));
        let value = |name: &str| form.iter().find(|field| field.0 == name).unwrap().1.clone();
        let names: Vec<_> = form.iter().map(|field| field.0.as_str()).collect();
        assert_eq!(
            names,
            [
                "x-amz-checksum-algorithm",
                "x-amz-checksum-sha256",
                "key",
                "x-amz-algorithm",
                "x-amz-credential",
                "x-amz-date",
                "policy",
                "x-amz-signature"
            ]
        );
        let checksum = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
        assert_eq!(value("x-amz-date"), "20261122T205118Z");
        assert_eq!(value("key"), format!("lhcb/users/alice/sha256:{}.tar.zst", "ab".repeat(32)));
        let policy: serde_json::Value =
            serde_json::from_slice(&BASE64_STANDARD.decode(value("policy")).unwrap()).unwrap();
        assert_eq!(
            policy,
            json!({"expiration": "2026-11-22T20:56:18.700Z", "conditions": [
                ["content-length-range", 21, 21], {"x-amz-checksum-algorithm": "sha256"},
                {"x-amz-checksum-sha256": checksum}, {"bucket": "sandboxes"}, {"key": value("key")},
                {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/s3/aws4_request"},
                {"x-amz-date": "20261122T205118Z"}]})
        );
    }

    #[test]
    fn the_region_is_in_the_name_of_amazons_hosts_only() {
        for (host, region) in [
            ("s3.eu-west-3.amazonaws.com", "eu-west-3"),
            ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3.dualstack.eu-north-1.amazonaws.com:443", "eu-north-1"),
            ("s3.amazonaws.com", "us-east-1"),
            ("minio.example.org:9000", "us-east-1"),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }
}
