// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("A login beside variables of the shell")
struct LoginCommandTests {
    private let login = LoginFile(edge: "https://edge.example", apiKey: "cvk_stored", certificateAuthorityFile: nil)

    @Test("Variables that name the same, or nothing, are no news")
    func same() {
        #expect(LoginCommand.outranked(by: [:], self.login) == nil)
        let same = ["CULVERT_EDGE": "https://edge.example", "CULVERT_API_KEY": "cvk_stored"]
        #expect(LoginCommand.outranked(by: same, self.login) == nil)
        #expect(LoginCommand.outranked(by: ["CULVERT_EDGE": "", "CULVERT_API_KEY": ""], self.login) == nil)
    }

    @Test("The login of another edge is kept beside the new one, readable by its owner alone, and that is told")
    func replaced() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        let other = LoginFile(edge: "http://127.0.0.1:8989", apiKey: "cvk_dev", certificateAuthorityFile: nil)
        #expect(try LoginFile.keep(nil, replacedBy: other, at: path) == nil)
        #expect(try LoginFile.keep(self.login, replacedBy: self.login, at: path) == nil)
        #expect(try LoginFile.read(at: path + ".old") == nil)
        let told = try LoginFile.keep(self.login, replacedBy: other, at: path)
        #expect(told == "The login of https://edge.example is replaced; it is kept in \(path).old.")
        #expect(try LoginFile.read(at: path + ".old")?.apiKey == "cvk_stored")
    }

    @Test("Those that outrank what was stored are named, without their values")
    func differing() {
        #expect(
            LoginCommand.outranked(by: ["CULVERT_EDGE": "http://127.0.0.1:8989"], self.login)
                == "CULVERT_EDGE is set in this shell, and other commands take that before what was stored: "
                + "unset CULVERT_EDGE."
        )
        let both = ["CULVERT_EDGE": "http://127.0.0.1:8989", "CULVERT_API_KEY": "cvk_another"]
        #expect(
            LoginCommand.outranked(by: both, self.login)
                == "CULVERT_EDGE and CULVERT_API_KEY are set in this shell, and other commands take that before what was "
                + "stored: unset CULVERT_EDGE CULVERT_API_KEY."
        )
    }
}
