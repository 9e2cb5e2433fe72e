// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTP1
import NIOCore

/// An HTTP archive of exchanges, version 1.2 (http://www.softwareishard.com/blog/har-12-spec/).
///
/// What the format has no place for stands in members that begin with an underscore, which the format allows.
package struct HARLog: Codable, Sendable {
    /// The outermost object.
    package struct Archive: Codable, Sendable {
        package var log: HARLog
    }

    /// A program.
    package struct Creator: Codable, Sendable {
        package var name: String
        package var version: String
    }

    package var version: String
    package var creator: Creator
    package var entries: [HAREntry]

    /// Writes an archive.
    ///
    /// - Parameters:
    ///   - views: The exchanges, in any order.
    ///   - version: The version of the program.
    ///   - keepsSecrets: Whether credentials, cookies and tokens are written, too.
    ///   - url: The URL of a tunnel without the path, by the tunnel's id.
    package static func archive(
        _ views: [ExchangeView],
        version: String,
        keepsSecrets: Bool,
        url: (String) -> String?
    ) -> Archive {
        var room = HAREntry.Room()
        let entries = views.filter { $0.exchange.state.kind != .opaque }
            .sorted { $0.exchange.id < $1.exchange.id }
            .map { HAREntry($0, url: url($0.exchange.tunnel), keepsSecrets: keepsSecrets, decoding: &room) }
        return Archive(
            log: HARLog(version: "1.2", creator: Creator(name: "culvert", version: version), entries: entries)
        )
    }
}

/// A name and a value in an archive.
package struct HARPair: Codable, Equatable, Sendable {
    package var name: String
    package var value: String
}
