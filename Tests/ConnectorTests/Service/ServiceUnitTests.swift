// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Testing

@testable import Connector

@Suite("The systemd unit")
struct ServiceUnitTests {
    private func lines(_ unit: ServiceUnit) -> Set<String> {
        Set(unit.text.split(separator: "\n").map(String.init))
    }

    private func install(_ arguments: String...) throws -> ServiceCommand.Install {
        try #require(CulvertCommand.parseAsRoot(["service", "install"] + arguments) as? ServiceCommand.Install)
    }

    private static let unit = ServiceUnit(
        scope: .system,
        userName: "culvert",
        program: "/usr/local/bin/culvert",
        arguments: ["start", "--config", "/etc/culvert/culvert.yaml"],
        credentialFiles: ["/etc/culvert/token"],
        canReload: true
    )

    @Test("A system service has a user of its own, reads only what it was given, and is not started again in vain")
    func system() {
        let lines = self.lines(Self.unit)
        for line in [
            ServiceUnit.mark, "ExecStart=/usr/local/bin/culvert start --config /etc/culvert/culvert.yaml",
            "ExecReload=/bin/kill -HUP $MAINPID", "DynamicUser=yes", "User=culvert", "NoNewPrivileges=yes",
            "ProtectSystem=strict", "PrivateTmp=yes", "MemoryDenyWriteExecute=yes",
            "SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
            "Restart=on-failure", "RestartPreventExitStatus=64 66 73 77 78", "TimeoutStopSec=30s",
            "LoadCredential=etc-culvert-token:/etc/culvert/token", "StateDirectory=culvert",
            "StateDirectoryMode=0700", "WantedBy=multi-user.target",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("A user's service has nothing that takes more than a user's rights to set up")
    func user() {
        var unit = Self.unit
        unit.scope = .user
        let lines = self.lines(unit)
        #expect(lines.contains("WantedBy=default.target"))
        #expect(lines.contains("NoNewPrivileges=yes"))
        for word in [
            "DynamicUser", "User=", "ProtectSystem", "LoadCredential", "StateDirectory", "PrivateTmp", "network-online",
        ] {
            #expect(!unit.text.contains(word), "\(word)")
        }
    }

    @Test("A service that serves a token has no file to read again")
    func noReload() {
        var unit = Self.unit
        unit.canReload = false
        #expect(!unit.text.contains("ExecReload"))
    }

    @Test("systemd takes every argument as it is")
    func quoting() {
        var unit = Self.unit
        unit.arguments = ["a b", #"c"d\e"#, "50%", "$HOME", "", "f;g"]
        #expect(
            self.lines(unit).contains(
                #"ExecStart=/usr/local/bin/culvert "a b" "c\"d\\e" 50%% $$HOME "" "f;g""#
            )
        )
    }

    @Test("The name of a credential belongs to one path")
    func credentialNames() {
        #expect(ServiceCredential.name(of: "/etc/culvert/token") == "etc-culvert-token")
        let paths = ["/a/b", "/a-b", "/a_b", "/a_.b", "/a__b", "/a_/.b", "/a-/b", "/a/-b"]
        #expect(Set(paths.map { ServiceCredential.name(of: $0) }).count == paths.count)
        #expect(ServiceCredential.name(of: "token") == nil)
        #expect(ServiceCredential.name(of: "/") == nil)
        #expect(ServiceCredential.name(of: "/a:b") == nil)
    }

    @Test("A secret that systemd hands over is read instead of its file")
    func credentials() throws {
        let folder = try TemporaryFolder()
        try folder.write("handed over", to: "etc-culvert-token")
        let environment = ["CREDENTIALS_DIRECTORY": folder.path]
        #expect(try SecretFile.read("/etc/culvert/token", what: "a token", environment: environment) == "handed over")
        try folder.write("by hand", to: "plain")
        #expect(try SecretFile.read(folder.path + "/plain", what: "a token", environment: environment) == "by hand")
    }

    @Test("Only a unit that is ours is overwritten or removed")
    func ours() throws {
        let folder = try TemporaryFolder()
        let file = try ServiceUnitFile(name: "culvert", scope: .system, root: folder.path, environment: [:])
        let place = "etc/systemd/system/culvert.service"
        #expect(file.path == "\(folder.path)/\(place)")
        #expect(throws: CommandFailure.self) { try file.uninstall() }
        try file.install(Self.unit, force: false)
        #expect(folder.read(place) == Self.unit.text)
        try file.install(Self.unit, force: false)
        try file.uninstall()
        #expect(folder.read(place) == nil)

        try folder.write("[Service]\n", to: place)
        let refusal = #expect(throws: CommandFailure.self) { try file.install(Self.unit, force: false) }
        #expect(refusal?.status == .configuration)
        #expect(throws: CommandFailure.self) { try file.uninstall() }
        #expect(folder.read(place) == "[Service]\n")
        try file.install(Self.unit, force: true)
        #expect(folder.read(place) == Self.unit.text)
    }

    @Test("A user's unit is below the user's folder")
    func userPlace() throws {
        let home = try ServiceUnitFile(name: "a", scope: .user, root: "/r", environment: ["HOME": "/home/x"])
        #expect(home.path == "/r/home/x/.config/systemd/user/a.service")
        let xdg = try ServiceUnitFile(
            name: "a",
            scope: .user,
            root: "",
            environment: ["HOME": "/home/x", "XDG_CONFIG_HOME": "/cfg"]
        )
        #expect(xdg.path == "/cfg/systemd/user/a.service")
        #expect(throws: CommandFailure.self) {
            try ServiceUnitFile(name: "a", scope: .user, root: "", environment: [:])
        }
    }

    @Test("The files that the tunnels name are handed to the service, each once")
    func installForTunnels() throws {
        let folder = try TemporaryFolder()
        try folder.write(TokenText.signed(#"{"sub":"my-app"}"#), to: "token")
        try folder.write("secret", to: "key")
        try folder.write(
            "edge: https://e\napi-key-file: key\ntunnels:\n- token-file: token\n  target: 1\n- target: 2\n",
            to: "c.yaml"
        )
        let path = folder.path
        let unit = try self.install("--user", "--config", "\(path)/c.yaml", "--program", "/opt/culvert").unit()
        #expect(unit.program == "/opt/culvert")
        #expect(unit.arguments == ["start", "--config", "\(path)/c.yaml"])
        #expect(unit.credentialFiles == ["\(path)/key", "\(path)/token"])
        #expect(unit.canReload)
    }

    @Test("What the service could not see or use is refused before anything is written")
    func refusals() throws {
        let folder = try TemporaryFolder()
        try folder.write("tunnels: []\n", to: "bad.yaml")
        let program = ["--program", "/usr/local/bin/culvert"]
        // The folder of the test is below /tmp, of which the service has its own.
        let hidden = #expect(throws: CommandFailure.self) {
            try self.install("--config", folder.path + "/bad.yaml", program[0], program[1]).unit()
        }
        #expect(hidden?.message.contains("/etc/culvert") == true)
        let home = #expect(throws: CommandFailure.self) {
            try self.install("--config", "/etc/x.yaml", "--program", "/home/u/culvert").unit()
        }
        #expect(home?.message.contains("/usr/local/bin") == true)
        let invalid = #expect(throws: CommandFailure.self) {
            try self.install("--user", "--config", folder.path + "/bad.yaml", program[0], program[1]).unit()
        }
        #expect(invalid?.message.contains("bad.yaml:1: “tunnels” is empty") == true)
    }

    @Test(
        "Either a file of tunnels or a token with a target",
        arguments: [
            [], ["--config", "c", "--token-file", "t", "--to", "1"], ["--token-file", "t"], ["--to", "1"],
            ["--config", "c", "--name", "A b"], ["--token-file", "t", "--to", "1", "--api-key-file", "k"],
        ]
    )
    func usage(arguments: [String]) {
        do {
            _ = try CulvertCommand.parseAsRoot(["service", "install"] + arguments)
            Issue.record("\(arguments) was understood")
        } catch {
            #expect(CulvertCommand.exitCode(for: error).rawValue == CommandStatus.usage.rawValue)
        }
    }

    @Test("systemd itself finds nothing wrong with the unit, and little that is exposed")
    func analysed() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze") else {
            print("systemd-analyze is not installed: the unit was not checked with it")
            return
        }
        let folder = try TemporaryFolder()
        var unit = Self.unit
        unit.program = "/bin/true"
        try folder.write(unit.text, to: "culvert.service")
        let path = folder.path + "/culvert.service"
        #expect(try Self.run("/usr/bin/systemd-analyze", ["verify", path]) == 0)
        // Tenths: 15 is 1.5.
        #expect(
            try Self.run("/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=15", path]) == 0
        )
    }

    /// Runs a program, and gives its exit code.
    static func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
