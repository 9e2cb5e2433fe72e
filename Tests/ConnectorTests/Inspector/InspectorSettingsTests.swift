// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Foundation
import Inspection
import Testing

@testable import Connector

@Suite("The settings of the inspector")
struct InspectorSettingsTests {
    private static func settings(_ line: String, isWatched: Bool) throws -> TrafficInspection.Settings? {
        try InspectOptions.parse(line.split(separator: " ").map(String.init)).settings(isWatched: isWatched)
    }

    @Test("It is on where a person watches, and off elsewhere, unless the command line says so")
    func choice() throws {
        #expect(try Self.settings("", isWatched: true) == TrafficInspection.Settings())
        #expect(try Self.settings("", isWatched: false) == nil)
        #expect(try Self.settings("--inspect off", isWatched: true) == nil)
        #expect(try Self.settings("--inspect on", isWatched: false)?.address == nil)
        #expect(try Self.settings("--inspect 4041", isWatched: false)?.address == InspectorAddress(port: 4_041))
        let settings = try Self.settings("--inspect-memory 20MiB --inspect-body 100kB", isWatched: true)
        #expect(settings?.budget == CaptureBudget(bytes: 20 << 20, body: 100_000))
    }

    @Test("Secrets of the command line come from files, before those of the file of tunnels")
    func signatures() throws {
        let folder = try TemporaryFolder()
        try folder.write("hush-hush\n", to: "stripe")
        try folder.write("not base64\n", to: "bad")
        let line = ["--inspect", "on", "--inspect-signature", "stripe:\(folder.path)/stripe"]
        let options = try InspectOptions.parse(line)
        let secret = try #require(SigningSecret(.stripe, secret: "hush-hush"))
        #expect(try options.signingSecrets() == [secret])
        let other = try #require(SigningSecret(.slack, secret: "x"))
        let file = InspectSettings(signingSecrets: [other])
        let settings = options.settings(isWatched: false, file: file, secrets: try options.signingSecrets())
        #expect(settings?.signingSecrets == [secret, other])
        for (argument, problem) in [
            ("svix:\(folder.path)/bad", "The secret of svix has to be base64, perhaps behind “whsec_”."),
            ("slack:\(folder.path)/none", "can't be read"),
        ] {
            let failure = #expect(throws: CommandFailure.self) {
                try InspectOptions.parse(["--inspect-signature", argument]).signingSecrets()
            }
            #expect(failure.map { "\($0)" }?.contains(problem) == true, "\(argument)")
        }
        for line in [
            "--inspect-signature x:y", "--inspect-signature stripe", "--inspect-drop a:b", "--inspect-drop Host",
            "--inspect-drop",
        ] {
            #expect(throws: (any Error).self, "\(line)") {
                try InspectOptions.parse(line.split(separator: " ").map(String.init))
            }
        }
    }

    @Test("An address of the network needs a token, one of this machine does not")
    func token() throws {
        #expect(TrafficInspection(settings: TrafficInspection.Settings()).token == nil)
        var settings = TrafficInspection.Settings()
        settings.address = InspectorAddress("[::1]:4040")
        #expect(TrafficInspection(settings: settings).token == nil)
        settings.address = InspectorAddress("192.0.2.7:4040")
        let tokens = (0..<2).compactMap { _ in TrafficInspection(settings: settings).token }
        #expect(tokens.count == 2 && tokens[0] != tokens[1] && tokens.allSatisfy { $0.utf8.count == 32 })
    }

    @Test("Addresses are numbers, or a port of this machine")
    func addresses() throws {
        #expect(InspectorAddress("localhost:4050")?.description == "127.0.0.1:4050")
        #expect(InspectorAddress("[::1]:4050")?.description == "[::1]:4050")
        for text in ["", "0", "65536", "example.com:1", "https://127.0.0.1:1", "unix:/x", "127.0.0.1", "-1"] {
            #expect(InspectorAddress(text) == nil, "\(text)")
        }
        let address = InspectorAddress(port: 4_040)
        for target in ["4040", "localhost:4040", "127.0.0.1:4040", "[::1]:4040", "0.0.0.0:4040"] {
            #expect(address.isTarget(try OriginTarget(parsing: target)), "\(target)")
        }
        for target in ["4041", "192.0.2.7:4040", "unix:/run/4040"] {
            #expect(!address.isTarget(try OriginTarget(parsing: target)), "\(target)")
        }
    }

    @Test("Sizes have binary and decimal units")
    func sizes() {
        for (text, bytes) in [
            ("0", 0), ("1000", 1_000), ("10B", 10), ("2kB", 2_000), ("2KiB", 2_048), ("3MiB", 3 << 20),
        ] {
            #expect(ByteSize(argument: text)?.bytes == bytes, "\(text)")
        }
        for text in ["", "x", "-1", "1.5MiB", "MiB", "99999999999GiB", "1 MiB"] {
            #expect(ByteSize(argument: text) == nil, "\(text)")
        }
        #expect(ByteSize(50 << 20).defaultValueDescription == "50MiB")
    }

    @Test("The file in which a run says where its inspector is can be read by its user alone, and goes with it")
    func file() throws {
        let folder = try TemporaryFolder()
        let environment = ["XDG_RUNTIME_DIR": folder.path]
        let file = InspectorFile(environment: environment)
        file.write(url: "http://127.0.0.1:4040/?token=abc", token: "abc")
        let all = InspectorFile.all(environment: environment)
        #expect(all.map(\.url) == ["http://127.0.0.1:4040"] && all.first?.token == "abc")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/culvert")
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path + "/culvert/" + names[0])
        #expect((mode[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        // The file of a program that was killed is passed over.
        let dead = "{\"pid\": 999999999, \"url\": \"http://127.0.0.1:1\"}"
        try dead.write(toFile: folder.path + "/culvert/inspector-999999999.json", atomically: true, encoding: .utf8)
        #expect(InspectorFile.all(environment: environment).count == 1)
        file.remove()
        #expect(InspectorFile.all(environment: environment).isEmpty)
    }

    @Test("Without a folder of running programs it is in the user's state, and a number alone proves no program")
    func fileInState() throws {
        let folder = try TemporaryFolder()
        let environment = ["HOME": folder.path]
        let place = folder.path + "/.local/state/culvert/running"
        let file = InspectorFile(environment: environment)
        file.write(url: "http://127.0.0.1:5050/", token: nil)
        #expect(InspectorFile.all(environment: environment).map(\.url) == ["http://127.0.0.1:5050"])
        let mode = try FileManager.default.attributesOfItem(atPath: place)
        #expect((mode[.posixPermissions] as? NSNumber)?.intValue == 0o700)
        // One that nobody holds, though a process has its number: that of a machine that was started again.
        let stale = place + "/inspector-1.json"
        try "{\"pid\": 1, \"url\": \"http://127.0.0.1:1\"}".write(toFile: stale, atomically: true, encoding: .utf8)
        #expect(InspectorFile.all(environment: environment).count == 1)
        #expect(!FileManager.default.fileExists(atPath: stale))
    }

    @Test("A folder that others can write to is neither used nor believed")
    func foreignFolder() throws {
        let folder = try TemporaryFolder()
        let environment = ["XDG_RUNTIME_DIR": folder.path]
        let file = InspectorFile(environment: environment)
        file.write(url: "http://127.0.0.1:4040/", token: nil)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path + "/culvert")
        #expect(InspectorFile.all(environment: environment).isEmpty)
        let other = InspectorFile(environment: environment)
        file.remove()
        other.write(url: "http://127.0.0.1:4040/", token: nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/culvert").isEmpty)
    }

    @Test(
        "A program that was started last and has no inspector says so, and no other one's requests are shown for its own"
    )
    func bareRun() async throws {
        let folder = try TemporaryFolder()
        let environment = ["XDG_RUNTIME_DIR": folder.path]
        func refusal(_ words: [String] = []) async throws -> String? {
            do {
                _ = try await InspectorOptions.parse(words).client(environment: environment)
                return nil
            } catch let failure as CommandFailure {
                return failure.message
            }
        }
        let file = InspectorFile(environment: environment)
        file.writeNone(name: "hooks")
        let bare = "The culvert that you started last (hooks) has no inspector: start it with --inspect on."
        #expect(try await refusal() == bare)
        #expect(try await refusal(["--inspector", "4041"]) == nil)
        let last = InspectorFile.Content(pid: 2, name: "hooks")
        let other = InspectorFile.Content(pid: 1, url: "http://127.0.0.1:4041")
        let hint = " One that you started before has: --inspector 4041 asks it."
        #expect(InspectorOptions.none(of: last, [last, other]) == bare + hint)
        // It has one after all.
        file.write(url: "http://127.0.0.1:4042/", token: nil)
        #expect(try await refusal() == nil)
        file.remove()
        // Whatever answers at the usual ports is nobody's that is known.
        let none = try #require(await refusal())
        #expect(none.hasPrefix("No inspector of yours is running"))
        #expect(InspectorOptions.foreign(4_040, environment).contains("--inspector 4040 asks it"))
    }

    @Test("Where there is no inspector, the message says where it was looked for and how to name another")
    func noInspector() {
        let message = InspectorOptions.none(["XDG_RUNTIME_DIR": "/run/user/7"])
        for part in ["/run/user/7/culvert", "4040 to 4049", "--inspector ADDRESS", "--inspect on"] {
            #expect(message.contains(part), "\(part)")
        }
        #expect(InspectorOptions.none(["HOME": "/home/x"]).contains("/home/x/.local/state/culvert/running"))
    }

    @Test("The page is a part of the program, whole")
    func page() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/Connector/Main/Inspector/Page").standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(names) == Set(InspectorPageFiles.all.map(\.name)))
        for file in InspectorPageFiles.all {
            let content = try Data(contentsOf: folder.appending(path: file.name))
            #expect(file.content.withUTF8Buffer { Data($0) } == content, "\(file.name): run scripts/embed-page")
        }
    }
}
