// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Testing

@testable import Connector

@Suite("Which edge, and with what key")
struct EdgeAccessTests {
    /// Runs the body with a configuration folder of its own.
    private func withFolder(_ body: (_ environment: [String: String], _ path: String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "culvert-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let environment = ["XDG_CONFIG_HOME": folder]
        try body(environment, try #require(LoginFile.path(environment: environment)))
    }

    private func resolve(
        edge: String? = nil,
        apiKeyFile: String? = nil,
        _ environment: [String: String]
    ) throws -> EdgeAccess {
        try EdgeAccess.resolve(edge: edge, apiKeyFile: apiKeyFile, oneTimeCode: nil, environment: environment)
    }

    @Test("Where a key came from that an edge does not know is told, but for the one that was just given to login")
    func source() throws {
        try self.withFolder { environment, path in
            func source(_ arguments: [String], _ more: [String: String] = [:]) -> String? {
                EdgeAccess.sourceOfKey(arguments: arguments, environment: environment.merging(more) { $1 })
            }
            let variable = ["CULVERT_API_KEY": "variable"]
            #expect(source(["http", "3000"]) == nil)
            #expect(source(["http", "3000"], variable) == "This is the key of CULVERT_API_KEY.")
            try LoginFile(edge: "https://stored.example", apiKey: "stored").write(to: path)
            #expect(source(["http", "3000"]) == "This is the key that culvert login has stored.")
            #expect(
                source(["http", "3000"], variable)
                    == "This is the key of CULVERT_API_KEY, which comes before the one that culvert login has stored."
            )
            for file in [["--api-key-file", "x"], ["--api-key-file=x"]] {
                #expect(source(["http", "3000"] + file, variable) == "This is the key of --api-key-file.")
            }
            #expect(source(["login"], variable) == nil)
        }
    }

    @Test("Flags go before the environment, the environment before the login file")
    func precedence() throws {
        try self.withFolder { environment, path in
            try LoginFile(edge: "https://stored.example", apiKey: "stored").write(to: path)
            let stored = try self.resolve(environment)
            #expect(stored.edge.host == "stored.example")
            #expect(stored.credentials.apiKey == "stored")
            let variables = environment.merging(
                ["CULVERT_EDGE": "https://variable.example", "CULVERT_API_KEY": "variable"]
            ) { $1 }
            let fromVariables = try self.resolve(variables)
            #expect(fromVariables.edge.host == "variable.example")
            #expect(fromVariables.credentials.apiKey == "variable")
            let file = path + ".key"
            try Data("flag\n".utf8).write(to: URL(fileURLWithPath: file))
            let fromFlags = try self.resolve(edge: "https://flag.example", apiKeyFile: file, variables)
            #expect(fromFlags.edge.host == "flag.example")
            #expect(fromFlags.credentials.apiKey == "flag")
        }
    }

    @Test("A stored key is never sent to another edge")
    func keyBelongsToItsEdge() throws {
        try self.withFolder { environment, path in
            try LoginFile(edge: "https://stored.example", apiKey: "stored").write(to: path)
            let error = #expect(throws: CommandFailure.self) {
                try self.resolve(edge: "https://other.example", environment)
            }
            #expect(error?.status == .configuration)
            let message = try #require(error?.message)
            #expect(message.hasPrefix("--edge names the edge https://other.example, and"))
            #expect(message.contains("To use https://stored.example, leave --edge out."))
            #expect(message.hasSuffix("or run culvert login --edge https://other.example."))
            let byVariable = #expect(throws: CommandFailure.self) {
                try self.resolve(environment.merging(["CULVERT_EDGE": "https://other.example"]) { $1 })
            }
            #expect(byVariable?.message.contains("leave CULVERT_EDGE out") == true)
        }
    }

    @Test("A tunnel's address in the place of its edge's is told, before a key for it is asked for")
    func tunnelAddress() throws {
        try self.withFolder { environment, path in
            try LoginFile(edge: "https://stored.example", apiKey: "stored").write(to: path)
            for address in ["https://stored.example/my-app", "https://my-app.stored.example"] {
                let error = #expect(throws: CommandFailure.self) { try self.resolve(edge: address, environment) }
                let beginning =
                    "--edge names \(address), which looks like the address of a tunnel of https://stored.example, the edge of "
                    + "culvert login: leave --edge out."
                #expect(error?.message.hasPrefix(beginning) == true)
            }
        }
    }

    @Test("The login file is for its owner's eyes, and is not read if it was for others'")
    func permissions() throws {
        try self.withFolder { environment, path in
            let login = LoginFile(edge: "https://stored.example", apiKey: "stored")
            for _ in 0..<2 { try login.write(to: path) }
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            #expect(try LoginFile.read(at: path) == login)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            let error = #expect(throws: CommandFailure.self) { try self.resolve(environment) }
            #expect(error?.message.contains("chmod 600") == true)
        }
    }

    @Test("What is missing or makes no sense is said with its exit code")
    func failures() throws {
        try self.withFolder { environment, path in
            let noEdge = #expect(throws: CommandFailure.self) { try self.resolve(environment) }
            #expect(noEdge?.status == .usage)
            let noKey = #expect(throws: CommandFailure.self) { try self.resolve(edge: "localhost:1", environment) }
            #expect(noKey?.status == .configuration)
            let badEdge = #expect(throws: CommandFailure.self) { try self.resolve(edge: "ftp://x", environment) }
            #expect(badEdge?.status == .usage)
            let noFile = #expect(throws: CommandFailure.self) {
                try self.resolve(edge: "localhost:1", apiKeyFile: path + ".none", environment)
            }
            #expect(noFile?.status == .configuration)
        }
    }

    @Test("A key or code that no header field can carry is refused without being quoted")
    func credentials() throws {
        for key in ["", " \n", "a b", "a\r\nHost: x", "ä", String(repeating: "k", count: 1_025)] {
            let error = #expect(throws: CommandFailure.self) { try Credentials(apiKey: key) }
            #expect(error?.status == .configuration)
        }
        for code in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            let error = #expect(throws: CommandFailure.self) { try Credentials(apiKey: "k", oneTimeCode: code) }
            #expect(error?.status == .usage)
        }
        let credentials = try Credentials(apiKey: " secret-key\n", oneTimeCode: "123456")
        #expect(credentials.apiKey == "secret-key")
        var dumped = ""
        dump(credentials, to: &dumped)
        #expect(!("\(credentials)" + dumped).contains("secret"))
    }

    @Test("A token comes from the file, the argument or the environment, in this order")
    func token() throws {
        try self.withFolder { _, path in
            let file = NSTemporaryDirectory() + "culvert-\(UInt64.random(in: .min ... .max)).token"
            defer { try? FileManager.default.removeItem(atPath: file) }
            try Data(TokenText.signed(#"{"sub":"from-file"}"#).utf8).write(to: URL(fileURLWithPath: file))
            let argument = TokenText.signed(#"{"sub":"from-argument"}"#)
            let environment = ["CULVERT_TOKEN": TokenText.signed(#"{"sub":"from-variable"}"#)]
            func id(_ file: String?, _ argument: String?, _ environment: [String: String]) throws -> String {
                try TunnelToken.read(file: file, argument: argument, environment: environment).tunnelID
            }
            #expect(try id(file, argument, environment) == "from-file")
            #expect(try id(nil, argument, environment) == "from-argument")
            #expect(try id(nil, nil, environment) == "from-variable")
            let none = #expect(throws: CommandFailure.self) { try id(nil, nil, [:]) }
            #expect(none?.status == .usage)
            let bad = #expect(throws: CommandFailure.self) { try id(nil, "nonsense", [:]) }
            #expect(bad?.status == .refused)
        }
    }
}
