// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge

/// What programs and operators read is named in CHANGELOG.md when it comes.
@Suite("The list of changes")
struct ChangelogTests {
    /// Settings of 0.1.0.
    private static let firstSettings = Set(
        """
        admin.listen auth.api-key auth.api-keys-file auth.signing-key auth.signing-keys-file dev environment \
        errors.status-map event-loops http.head-timeout http.keep-alive-timeout http.max-connections http.max-fields \
        http.max-head-size http.stall-timeout limits.api-calls-per-second limits.creations-per-hour \
        limits.failed-logins-per-minute limits.tunnels-per-key listen log.file log.file-count log.file-size log.format \
        log.level log.timezone proxies.client-ip-header proxies.trusted public.url public.wildcard-domain shutdown.delay \
        shutdown.grace tls.certificate tls.key tunnel.connect-timeout tunnel.heartbeat-interval tunnel.idle-expiry \
        tunnel.max-connections tunnel.name-lease tunnel.reconnect-hold tunnel.request-timeout tunnel.reserved-names \
        tunnel.token-lifetime tunnel.token-overlap tunnel.unknown-hold
        """.split(separator: " ").map(String.init)
    )
    /// Metrics of 0.1.0 that still have their names.
    private static let firstMetrics = Set(
        """
        culvert_connectors_refused_total culvert_errors_total culvert_event_loop_lag_seconds culvert_origin_seconds \
        culvert_overhead_seconds culvert_rate_limit_callers culvert_received_bytes_total culvert_request_seconds \
        culvert_requests_total culvert_retries_total culvert_sent_bytes_total culvert_session_limits_total \
        culvert_sessions_total culvert_streams culvert_window_stalls_total
        """.split(separator: " ").map(String.init)
    )

    /// What stands between back quotes below a heading.
    private func names(below heading: String) throws -> [String] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("CHANGELOG.md")
        let text = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n### \(heading)\n")
        let section = try #require(text.dropFirst().first).components(separatedBy: "\n### ")[0]
        return section.components(separatedBy: "`").enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    }

    @Test("Each setting that 0.1.0 did not have is named below Settings")
    func settings() throws {
        let named = try self.names(below: "Settings")
        var reader = SettingsReader(arguments: ["--dev"], environment: [:], file: nil)
        _ = EdgeConfiguration(from: &reader)
        #expect(Self.firstSettings.isSubset(of: reader.settings.map(\.key)))
        for key in reader.settings.map(\.key) where !Self.firstSettings.contains(key) {
            let section = key.prefix { $0 != "." } + ".*"
            #expect(named.contains(key) || named.contains(String(section)), "\(key)")
        }
    }

    @Test("Each metric that 0.1.0 did not have is named below Metrics")
    func metrics() throws {
        let named = try self.names(below: "Metrics")
        let metrics = EdgeMetrics().prometheusText().split(separator: "\n").filter { $0.hasPrefix("# TYPE culvert_") }
            .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) }
        #expect(Self.firstMetrics.isSubset(of: metrics))
        for name in metrics where !Self.firstMetrics.contains(name) { #expect(named.contains(name), "\(name)") }
    }
}
