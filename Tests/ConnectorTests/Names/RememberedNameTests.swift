// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Connector

@Suite("The names of tunnels that nobody named")
struct RememberedNameTests {
    private let state: TemporaryFolder

    init() throws {
        self.state = try TemporaryFolder()
    }

    private func name(
        edge: String = "https://e",
        target: String = "3000",
        folder: String = "/home/me/app"
    ) -> RememberedName? {
        RememberedName(edge: edge, target: target, folder: folder, environment: ["XDG_STATE_HOME": self.state.path])
    }

    @Test("The same edge, folder and target have the same name at the next start, and others have none")
    func remembered() throws {
        try #require(self.name()).remember("a-longer-name-than-the-next")
        try #require(self.name()).remember("k3v9q2m7x4t8w1zd", protectedBy: ["ip_allow"])
        #expect(try #require(self.name()).protection == ["ip_allow"])
        #expect(self.name()?.id == "k3v9q2m7x4t8w1zd")
        #expect(try #require(self.name(edge: "https://f")).id == nil)
        #expect(try #require(self.name(target: "3001")).id == nil)
        #expect(try #require(self.name(folder: "/home/me/other")).id == nil)
    }

    @Test("While a run has the name, a second run of the same has another one")
    func held() throws {
        let first = try #require(self.name())
        first.remember("first")
        #expect(self.name() == nil)
        _ = withExtendedLifetime(first) { first.id }
    }

    @Test("A file that holds something else is no name, and without a home nothing is kept")
    func unusable() throws {
        let place = self.state.path + "/culvert/names"
        try #require(self.name()).remember("first")
        for file in try FileManager.default.contentsOfDirectory(atPath: place) {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(place)/\(file)")
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            try Data(#"{"key":"another","id":"stolen"}"#.utf8).write(to: URL(fileURLWithPath: "\(place)/\(file)"))
        }
        #expect(try #require(self.name()).id == nil)
        #expect(RememberedName(edge: "e", target: "1", folder: "/", environment: [:]) == nil)
        #expect(RememberedName(edge: "e", target: "1", folder: "/", environment: ["HOME": "relative"]) == nil)
    }

    @Test("No more than so many names are kept")
    func bounded() throws {
        for port in 0..<RememberedName.most + 5 { _ = self.name(target: "\(port)") }
        let files = try FileManager.default.contentsOfDirectory(atPath: self.state.path + "/culvert/names")
        #expect(files.count == RememberedName.most)
    }
}
