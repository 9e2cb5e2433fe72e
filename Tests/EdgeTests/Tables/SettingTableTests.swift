// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Program
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

@Suite("Every setting")
struct SettingTableTests {
    @Test("Each setting that the configuration reads has a case that shows what it does")
    func complete() {
        #expect(Walk.faults(of: SettingCase.settings.map(\.key), shownBy: SettingCase.all.map(\.key)) == [])
    }

    @Test("The walk names a setting without a case, and a case without a setting")
    func walk() {
        let keys = SettingCase.all.map(\.key)
        #expect(Walk.faults(of: keys + ["new.setting"], shownBy: keys) == ["new.setting has no case"])
        #expect(Walk.faults(of: keys, shownBy: keys + ["old.setting"]) == ["old.setting does not exist"])
        #expect(Walk.faults(of: keys, shownBy: keys + ["listen"]) == ["listen is there twice"])
    }

    @Test("A setting does what it says", arguments: SettingCase.all)
    func effect(setting: SettingCase) async throws {
        try await setting.show()
    }

    @Test("docs/operations.md lists each setting with its default, in the order of --help")
    func documentation() throws {
        let rows = try Walk.text(of: "docs/operations.md").components(separatedBy: "\n## Settings\n")[1]
            .components(separatedBy: "\n## ")[0].split(separator: "\n").filter { $0.hasPrefix("| `") }
        let expected = SettingCase.settings.map {
            "| `\($0.key)` | \($0.value.isEmpty ? "" : "`\($0.value)`") | \($0.help) |".replacing("|  |", with: "| |")
        }
        #expect(rows.map(String.init) == expected)
    }

    /// What the chart sets by itself, from other values than `config`, or what a pod has no use for.
    private static let chartsOwn: Set<String> = [
        "dev", "listen", "admin.listen", "cluster.listen", "cluster.advertise", "cluster.tls.certificate",
        "cluster.tls.key", "cluster.tls.ca", "inbox.store", "inbox.directory",
        "inbox.key-file",
        "tls.certificate", "tls.key",
        "auth.api-keys-file", "auth.signing-keys-file",
        "auth.api-key", "auth.signing-key", "log.file", "log.file-size", "log.file-count", "event-loops",
    ]

    @Test("The chart's values know each setting under config, but for those that the chart sets by itself")
    func chart() throws {
        let schema = try JSONSerialization.jsonObject(
            with: Data(try Walk.text(of: "helm/culvert-edge/values.schema.json").utf8)
        )
        for setting in SettingCase.settings {
            var node = schema as? [String: Any]
            for name in ["config"] + setting.key.split(separator: ".").map(String.init) {
                node = (node?["properties"] as? [String: Any])?[name] as? [String: Any]
            }
            #expect((node != nil) != Self.chartsOwn.contains(setting.key), "\(setting.key)")
        }
    }
}
