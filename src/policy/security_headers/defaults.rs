//! What `security_headers` says where nothing else is asked for.

/// Each header by the policy's name for it, and the value it has by default: those of helmet 8.
pub(in crate::policy) const DEFAULTS: [(&str, &str, &str); 11] = [
    (
        "content_security_policy",
        "Content-Security-Policy",
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';\
         img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';\
         style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    ("cross_origin_opener_policy", "Cross-Origin-Opener-Policy", "same-origin"),
    ("cross_origin_resource_policy", "Cross-Origin-Resource-Policy", "same-origin"),
    ("origin_agent_cluster", "Origin-Agent-Cluster", "?1"),
    ("referrer_policy", "Referrer-Policy", "no-referrer"),
    ("x_content_type_options", "X-Content-Type-Options", "nosniff"),
    ("x_dns_prefetch_control", "X-DNS-Prefetch-Control", "off"),
    ("x_download_options", "X-Download-Options", "noopen"),
    ("x_frame_options", "X-Frame-Options", "SAMEORIGIN"),
    ("x_permitted_cross_domain_policies", "X-Permitted-Cross-Domain-Policies", "none"),
    ("x_xss_protection", "X-XSS-Protection", "0"),
];
