// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
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

    @Test("logout removes the login in use, says where that of another edge still is, and that the key stays good")
    func logout() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        #expect(try LogoutCommand.remove(nil, at: path) == ["Nothing to remove: no login is stored in \(path)."])
        try self.login.write(to: path)
        try LoginFile(edge: "http://127.0.0.1:8989", apiKey: "cvk_dev", certificateAuthorityFile: nil)
            .write(to: path + ".old")
        #expect(
            try LogoutCommand.remove(nil, at: path) == [
                "Logged out: the login of https://edge.example is removed from \(path).",
                "The edge still takes the key: whoever runs it ends it by culvert-edge credentials revoke.",
                "That of http://127.0.0.1:8989 is still in \(path).old: culvert logout --edge http://127.0.0.1:8989 removes it.",
            ]
        )
        #expect(try LoginFile.read(at: path) == nil)
        let other = try EdgeAccess.address("http://127.0.0.1:8989")
        #expect(
            try LogoutCommand.remove(other, at: path).first
                == "Logged out: the login of http://127.0.0.1:8989 is removed from \(path).old."
        )
        #expect(try LoginFile.read(at: path + ".old") == nil)
    }

    @Test("logout of another edge leaves the login alone, and one that can't be read goes all the same")
    func otherLogout() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        try self.login.write(to: path)
        #expect(
            try LogoutCommand.remove(try EdgeAccess.address("https://other.example"), at: path)
                == ["Nothing to remove: no login of https://other.example is stored in \(path)."]
        )
        #expect(try LoginFile.read(at: path) == self.login)
        try folder.write("no JSON", to: "login.json")
        #expect(try LogoutCommand.remove(nil, at: path).first == "Logged out: the login is removed from \(path).")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("logout removes what others can read, too, in both files")
    func logoutOfOpenFiles() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        let replaced = LoginFile(edge: "http://127.0.0.1:8989", apiKey: "cvk_dev", certificateAuthorityFile: nil)
        try self.login.write(to: path)
        try replaced.write(to: path + ".old")
        for file in [path, path + ".old"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        }
        let other = try EdgeAccess.address("http://127.0.0.1:8989")
        #expect(
            try LogoutCommand.remove(other, at: path).first
                == "Logged out: the login of http://127.0.0.1:8989 is removed from \(path).old."
        )
        #expect(FileManager.default.fileExists(atPath: path))
        try replaced.write(to: path + ".old")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path + ".old")
        let lines = try LogoutCommand.remove(nil, at: path)
        #expect(lines.first == "Logged out: the login of https://edge.example is removed from \(path).")
        #expect(lines.last?.hasPrefix("That of http://127.0.0.1:8989 is still in \(path).old") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["login.json.old"])
    }

    @Test("logout names a replaced login that it can't read, and does not say that there is none")
    func logoutOfUnreadable() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        try folder.write("no JSON", to: "login.json.old")
        let told = "\(path).old is there, too, and says no edge: remove it if its key is no longer needed."
        #expect(try LogoutCommand.remove(nil, at: path).last == told)
        #expect(try LogoutCommand.remove(try EdgeAccess.address("https://edge.example"), at: path) == [told])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["login.json.old"])
    }

    @Test("logout removes what an interrupted login left, and the file that a link leads to")
    func logoutOfRemains() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/login.json"
        try self.login.write(to: "\(folder.path)/kept.json")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "\(folder.path)/kept.json")
        try folder.write("{\"edge\":\"https://ed", to: "login.json.new")
        let lines = try LogoutCommand.remove(nil, at: path)
        #expect(lines.contains("Logged out: what an interrupted login left is removed from \(path).new."))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test("logout says that a key of the shell goes on counting")
    func logoutBesideVariable() {
        #expect(LogoutCommand.noteOfVariable([:]) == nil)
        #expect(LogoutCommand.noteOfVariable(["CULVERT_API_KEY": "cvk_x"])?.hasSuffix("unset CULVERT_API_KEY.") == true)
    }

    @Test("What is no access token is told once, by what it should be")
    func accessToken() {
        for text in ["", "x", TokenText.signed("{}")] {
            let failure = #expect(throws: CommandFailure.self) { try AccessCommand.token(text) }
            #expect(
                failure?.message
                    == "That is not an access token: it should be the text that culvert tunnels access NAME prints."
            )
        }
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
