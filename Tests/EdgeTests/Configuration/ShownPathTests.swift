// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge

@Suite("Paths of the settings in errors")
struct ShownPathTests {
    @Test("A relative path is shown with where it leads, a whole one as it is")
    func text() {
        #expect(ShownPath.text("/etc/tls.key", from: "/srv") == "/etc/tls.key")
        #expect(ShownPath.text("tls.key", from: "/srv") == "tls.key (that is /srv/tls.key)")
        #expect(ShownPath.text("./tls.key", from: "/") == "./tls.key (that is /tls.key)")
        #expect(ShownPath.text("../tls.key", from: "/srv") == "../tls.key (that is /srv/../tls.key)")
    }

    @Test(
        "Each file that the settings name by a relative path, and that is not there, is shown so",
        arguments: [
            "auth.api-keys-file", "auth.signing-keys-file", "tls.certificate", "tls.key", "cluster.redis.password-file",
            "cluster.redis.sentinel-password-file", "cluster.redis.ca",
        ]
    )
    func files(setting: String) {
        let name = "none-\(UUID().uuidString)"
        var values = ["cluster.redis.url": "redis+sentinel://127.0.0.1/edges"]
        if setting.hasPrefix("tls.") { values["tls.certificate"] = name }
        if setting.hasPrefix("tls.") { values["tls.key"] = name }
        values[setting] = name
        var reader = SettingsReader(
            arguments: ["--dev"],
            environment: [:],
            file: ("conf/edge.yaml", values.map { "\($0): \($1)" }.sorted().joined(separator: "\n"))
        )
        _ = CredentialFiles.check(EdgeConfiguration(from: &reader), isReload: false, &reader)
        let told = reader.problems.filter { $0.key == setting }.map(\.message)
        let folder = FileManager.default.currentDirectoryPath
        #expect(told.contains { $0.hasPrefix("\(name) (that is \(folder)/\(name)): there is no such file") }, "\(told)")
    }
}
