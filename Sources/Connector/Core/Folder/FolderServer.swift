// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// The local server of `culvert http ./folder`: it shares the files of a folder on a socket that only this user can
/// reach.
package struct FolderServer: Sendable {
    /// What a tunnel exposes.
    package let target: OriginTarget
    private let channel: any Channel
    private let place: String

    /// A thread of their own for all: a disk that is slow must not hold up tunnels.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Whether somebody who typed a target means a folder.
    ///
    /// - Parameter text: The target.
    package static func isFolder(_ text: String) -> Bool {
        ["/", "./", "../", "~/"].contains { text.hasPrefix($0) } || [".", ".."].contains(text)
    }

    /// Why a folder can't be shared, in a sentence; `nil` if it can.
    package static func fault(of path: String) -> String? {
        SharedFolder(path: path) == nil ? FolderRefusal.words(path) : nil
    }

    /// Whether a file would be shared with a folder: names that begin with a dot are not.
    package static func shares(_ file: String, in folder: String) -> Bool {
        func parts(_ path: String) -> [String] {
            URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.pathComponents
        }
        let (inner, outer) = (parts(file), parts(folder))
        return inner.count > outer.count && inner.starts(with: outer)
            && !inner.dropFirst(outer.count).contains { $0.hasPrefix(".") }
    }

    /// Begins to serve.
    ///
    /// - Parameters:
    ///   - path: The folder.
    ///   - temporaryFolder: Where the socket's own folder is made.
    /// - Throws: ``CommandFailure`` if the folder can't be read, or the socket not be made.
    package static func start(
        sharing path: String,
        temporaryFolder: String = NSTemporaryDirectory()
    ) async throws -> FolderServer {
        guard let folder = SharedFolder(path: path) else {
            throw CommandFailure(.usage, FolderRefusal.words(path))
        }
        let place = (temporaryFolder as NSString).appendingPathComponent("culvert-\(UUID().uuidString.prefix(13))")
        let socket = place + "/files.sock"
        guard socket.utf8.count <= OriginTarget.longestSocketPath else {
            throw CommandFailure(.configuration, "The path in TMPDIR is too long for a socket: set a shorter one.")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: place,
                withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700]
            )
            let channel = try await ServerBootstrap(group: Self.group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                        try pipeline.addHandler(FolderHandler(folder: folder, pool: .singleton))
                    }
                }
                .bind(unixDomainSocketPath: socket)
                .get()
            let target = OriginTarget(endpoint: .unix(path: socket), usesTLS: false, label: path)
            return FolderServer(target: target, channel: channel, place: place)
        } catch {
            throw CommandFailure(.configuration, "No socket can be made in \(temporaryFolder): see TMPDIR.")
        }
    }

    /// Ends the server, and removes its socket.
    package func stop() {
        self.channel.close(promise: nil)
        try? FileManager.default.removeItem(atPath: self.place)
    }
}
