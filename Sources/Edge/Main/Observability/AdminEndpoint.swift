// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeTunnels
import HTTPTypes

/// What the admin listener answers.
struct AdminEndpoint: Sendable {
    let readiness: Readiness
    let metrics: EdgeMetrics
    /// The limits whose memory is shown, if there are any.
    var limits: APILimits?
    /// The page for who has an API key, if it is served here.
    var dashboard: DashboardPlane?

    /// The answer to a request: its status, media type and body.
    func respond(method: String, path: String) -> (status: HTTPResponse.Status, mediaType: String, body: String) {
        guard method == "GET" || method == "HEAD" else { return (.methodNotAllowed, "text/plain", "GET only\n") }
        switch path.prefix(while: { $0 != "?" }) {
        case "/healthz":
            return (.ok, "text/plain", "ok\n")
        case "/readyz":
            let isReady = self.readiness.isReady
            return (isReady ? .ok : .serviceUnavailable, "text/plain", isReady ? "ready\n" : "not ready\n")
        case "/metrics":
            if let limits { self.metrics.limitsRemember(callers: limits.rememberedCallers) }
            return (.ok, "text/plain; version=0.0.4", self.metrics.prometheusText())
        default:
            return (.notFound, "text/plain", "/healthz /readyz /metrics\n")
        }
    }
}
