// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Testing

@testable import Connector

@Suite("Passwords in a file")
struct PolicyArgumentTests {
    /// The user names and passwords of a file with this text.
    private func credentials(_ text: String) throws -> [String] {
        let folder = try TemporaryFolder()
        try folder.write(text, to: "visitors.txt")
        let secret = PolicySchema.tunnel.members.first { $0.isSecret }
        let member = try #require(secret)
        do {
            return try PolicyArgument(member: member).credentials(inFile: "\(folder.path)/visitors.txt").map {
                "\($0.username) \($0.password ?? "")"
            }
        } catch {
            return [error.message.replacing(folder.path, with: "")]
        }
    }

    @Test(
        "Lines end with LF or with CRLF, and empty ones are left out",
        arguments: [
            "guest:a\nbob:b c\n", "guest:a\r\nbob:b c\r\n", "guest:a\r\nbob:b c", "guest:a\n\r\n\nbob:b c\r\n",
        ]
    )
    func lineEnds(text: String) throws {
        #expect(try self.credentials(text) == ["guest a", "bob b c"])
    }

    @Test("The line that is wrong is counted, and a comment is told to be none")
    func wrongLines() throws {
        let place = "the file /visitors.txt, line"
        #expect(
            try self.credentials("guest:a\r\n\r\nbob\r\n")
                == ["The value of \(place) 3, has to be USER:PASSWORD, and there is no colon."]
        )
        #expect(
            try self.credentials("# visitors\nguest:a\n") == [
                "The value of \(place) 1, has to be USER:PASSWORD, and there is no colon. The file can't have comments."
            ]
        )
        #expect(
            try self.credentials("# visitors: all\n") == [
                "The user name of \(place) 1, has to be 1 to 128 of ASCII without space and colon. The file can't have "
                    + "comments."
            ]
        )
    }
}
