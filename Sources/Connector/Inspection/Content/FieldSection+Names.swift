// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

extension FieldSection {
    /// The first value of a field that the readers have no name for, in lower case.
    ///
    /// - Parameter name: The field's name in lower case.
    package func value(named name: String) -> String? {
        let count = name.utf8.count
        for line in self.lines where Int(line.name.count) == count {
            // Byte by byte: a text of each name would cost more than all else that is done for a small response.
            let isEqual = self.bytes.withUnsafeReadableBytes { bytes in
                bytes.dropFirst(Int(line.name.start)).prefix(count).elementsEqual(name.utf8) { $0 | 0x20 == $1 }
            }
            if isEqual { return self.text(line.value).asciiLowercased() }
        }
        return nil
    }

    /// Whether the first value of a field that the readers have no name for begins with a text, in any case.
    ///
    /// - Parameters:
    ///   - name: The field's name in lower case.
    ///   - text: The text in lower case.
    func value(named name: StaticString, beginsWith text: StaticString) -> Bool {
        self.bytes.withUnsafeReadableBytes { bytes in
            for line in self.lines where line.known == .other && Int(line.name.count) == name.utf8CodeUnitCount {
                guard ByteClass.equals(Self.part(bytes, line.name), name) else { continue }
                let value = Self.part(bytes, line.value)
                let beginning = UnsafeRawBufferPointer(rebasing: value.prefix(text.utf8CodeUnitCount))
                return ByteClass.equals(beginning, text)
            }
            return false
        }
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, _ span: FieldLine.Span) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes.dropFirst(Int(span.start)).prefix(Int(span.count)))
    }
}
