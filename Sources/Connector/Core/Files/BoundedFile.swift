// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Reads files that a person named, up to a limit of bytes.
package enum BoundedFile {
    /// Why a file was not read.
    package enum Failure: Error, Equatable {
        case unreadable
        case tooLarge
    }

    /// What messages call a file: nobody knows standard input by its hyphen.
    package static func name(of path: String) -> String { path == "-" ? "standard input" : path }

    /// The same as the beginning of a sentence.
    package static func subject(_ path: String) -> String { path == "-" ? "Standard input" : "The file \(path)" }

    /// Reads the whole file.
    ///
    /// - Parameters:
    ///   - path: The file; `-` is standard input.
    ///   - limit: The most bytes that it may have.
    package static func read(_ path: String, limit: Int) throws(Failure) -> Data {
        var isFolder: ObjCBool = false
        let file: FileHandle
        if path == "-" {
            file = .standardInput
        } else {
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
                let opened = FileHandle(forReadingAtPath: path)
            else { throw .unreadable }
            file = opened
        }
        var data = Data()
        // Reads one byte more than allowed, to notice a file that is too large; pipes deliver their bytes in pieces.
        while data.count <= limit {
            let piece: Data?
            do {
                piece = try file.read(upToCount: limit + 1 - data.count)
            } catch {
                throw .unreadable
            }
            guard let piece, !piece.isEmpty else { return data }
            data += piece
        }
        throw .tooLarge
    }
}
