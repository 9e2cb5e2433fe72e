// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("Transfers", .serialized)
    struct Transfers {
        /// What either program may have resident while bodies of any size pass.
        static let residentLimitKibibytes = 64 << 10
        static let mebibytes = Programs.isFullSize ? 1024 : 256

        @Test("A large download arrives whole, and neither program keeps it")
        func download() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            let file = try await Self.fill(origin, mebibytes: Self.mebibytes, in: scratch)
            let start = ContinuousClock.now
            let download = try Curl.downloadDigest(tunnel.url + "files/large", in: scratch)
            let digest = try await download.successfulOutput(within: .seconds(300)).prefix(64)
            try report("download", since: start, tunnel)
            #expect(digest == file)
            try expectSmallPrograms(tunnel)
        }

        @Test("A large upload arrives whole, and neither program keeps it")
        func upload() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            let file = try await scratch.randomFile("large", mebibytes: Self.mebibytes)
            let start = ContinuousClock.now
            let answer = try await Curl.get(
                tunnel.url + "files/arrived",
                ["--upload-file", file.url.path],
                in: scratch,
                within: .seconds(300)
            )
            try report("upload", since: start, tunnel)
            #expect(answer.status == 201)
            let arrived = origin.files.appendingPathComponent("arrived").path
            let digest = try RunningProcess("sha256sum", [arrived], in: scratch)
            #expect(try await digest.successfulOutput(within: .seconds(60)).prefix(64) == file.digest)
            try expectSmallPrograms(tunnel)
        }

        @Test("Ten downloads at once all arrive whole")
        func tenDownloads() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let tunnel = try await TunnelFixture(originPort: origin.port, in: scratch)
            let file = try await Self.fill(origin, mebibytes: Self.mebibytes / 8, in: scratch)
            let downloads = try (0..<10).map { _ in
                try Curl.downloadDigest(tunnel.url + "files/large", in: scratch)
            }
            for download in downloads {
                #expect(try await download.successfulOutput(within: .seconds(300)).prefix(64) == file)
            }
            try expectSmallPrograms(tunnel)
        }

        private static func fill(
            _ origin: NginxOrigin,
            mebibytes: Int,
            in scratch: ScratchFolder
        ) async throws -> String {
            let file = try await scratch.randomFile("large", mebibytes: mebibytes)
            try FileManager.default.moveItem(at: file.url, to: origin.files.appendingPathComponent("large"))
            return file.digest
        }

        private func report(_ what: String, since start: ContinuousClock.Instant, _ tunnel: TunnelFixture) throws {
            let peak = try tunnel.peakResidentKibibytes()
            let time = ContinuousClock.now - start
            print(
                "\(what) of \(Self.mebibytes) MiB: \(time), peak edge \(peak.edge) KiB, connector \(peak.connector) KiB"
            )
        }

        private func expectSmallPrograms(_ tunnel: TunnelFixture) throws {
            let peak = try tunnel.peakResidentKibibytes()
            #expect(peak.edge < Self.residentLimitKibibytes)
            #expect(peak.connector < Self.residentLimitKibibytes)
        }
    }
}
