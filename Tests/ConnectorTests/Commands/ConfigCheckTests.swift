// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Testing

@testable import Connector

@Suite("culvert config check --json")
struct ConfigCheckTests {
    private func check(_ path: String) throws -> (text: String, status: CommandStatus) {
        try ConfigCommand.Check.json(of: path)
    }

    @Test("It prints the tunnels of a file, or its problems with their lines, or why it can't be read")
    func answers() throws {
        let folder = try TemporaryFolder()
        try folder.write("edge: https://e.example\ntunnels:\n  - {target: 3000, name: my-app}\n", to: "right.yaml")
        let right = try self.check("\(folder.path)/right.yaml")
        #expect(right.status == .success)
        #expect(try self.members(right.text) == ["tunnels": [["name": "my-app", "target": "http://localhost:3000"]]])
        try folder.write("tunnel: []\nconnections: 9\ntunnels: [{target: 1}]\n", to: "wrong.yaml")
        let wrong = try self.check("\(folder.path)/wrong.yaml")
        #expect(wrong.status == .configuration)
        #expect(
            try self.members(wrong.text) == [
                "problems": [
                    ["line": "1", "message": "There is no setting “tunnel”: did you mean “tunnels”?"],
                    ["line": "2", "message": "“connections” has to be a number from 1 to 8."],
                ]
            ]
        )
        let missing = try self.check("\(folder.path)/none.yaml")
        #expect(missing.status == .configuration)
        #expect(
            try self.members(missing.text) == [
                "problems": [
                    ["message": "The file \(folder.path)/none.yaml can't be read: there is no such file."]
                ]
            ]
        )
    }

    @Test("A tunnel's name in the place of a file is told from a file that is not there")
    func names() throws {
        let failure = #expect(throws: CommandFailure.self) {
            try TunnelsFileOptions.parse(["my-app"]).path(environment: [:])
        }
        #expect(failure?.status == .configuration)
        #expect(failure?.message.contains("culvert http TARGET --name my-app") == true)
        let check = try ConfigCommand.Check.json(of: TunnelsFileOptions.parse(["my-app"]))
        #expect(check.status == .configuration)
        #expect(try self.members(check.text) == ["problems": [["message": failure?.message ?? ""]]])
        for path in ["./my-app", "tunnels.yaml", "-"] {
            #expect(try TunnelsFileOptions.parse([path]).path(environment: [:]) == path)
        }
    }

    private func members(_ text: String) throws -> [String: [[String: String]]] {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [[String: Any]]]
        return try #require(object).mapValues { $0.map { $0.mapValues { "\($0)" } } }
    }
}
