// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Where the programs under test and their peers are.
enum Programs {
    /// The product `name`: from the folder in `CULVERT_E2E_BIN` when set, else from beside the test bundle.
    static func product(_ name: String) throws -> String {
        let folder: URL
        if let given = ProcessInfo.processInfo.environment["CULVERT_E2E_BIN"] {
            folder = URL(fileURLWithPath: given, relativeTo: self.repository)
        } else {
            folder = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
                .deletingLastPathComponent()
        }
        return folder.appendingPathComponent(name).path
    }

    /// Whether the programs are those that users get, optimised and in one file each.
    static var areReleased: Bool {
        let folder = ProcessInfo.processInfo.environment["CULVERT_E2E_BIN"] ?? ""
        return folder.split(separator: "/").contains("release")
    }

    /// The Python of the environment that `scripts/test` makes, which has the `websockets` library.
    static var python: String {
        self.repository.appendingPathComponent(".venv-tests/bin/python").path
    }

    /// The Python whose environment has the apps that `Peers/apps` runs, and what drives a browser.
    static var pythonOfApps: String {
        self.repository.appendingPathComponent(".venv-apps/bin/python").path
    }

    /// A program that came with a package of the environment of ``python``.
    static func tool(_ name: String) -> String {
        self.repository.appendingPathComponent(".venv-tests/bin/\(name)").path
    }

    /// The helm that `scripts/check-chart` installs, unless the machine has one.
    static var helm: String {
        let installed = self.repository.appendingPathComponent(".venv-chart/bin/helm").path
        return FileManager.default.isExecutableFile(atPath: installed) ? installed : "helm"
    }

    /// A Python program of this test target.
    static func peer(_ name: String) -> String {
        self.repository.appendingPathComponent("Tests/EndToEndTests/Peers/\(name)").path
    }

    /// The sample origin that the project ships.
    static var sampleOrigin: String {
        self.repository.appendingPathComponent("examples/sample-origin/origin.py").path
    }

    /// Whether this is the long tier, with the sizes of the acceptance test, or a run that every change can afford.
    static let isFullSize = ProcessInfo.processInfo.environment["CULVERT_LONG"] == "1"
    /// What tells a program of `Peers` of it.
    static let sizeVariables = Self.isFullSize ? ["CULVERT_LONG": "1"] : [:]

    /// The root of the repository.
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
}
