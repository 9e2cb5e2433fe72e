// SPDX-License-Identifier: Apache-2.0

import HTTP1

extension FieldSection {
    /// The first value of a field that the readers have no name for, in lower case.
    ///
    /// - Parameter name: The field's name in lower case.
    package func value(named name: String) -> String? {
        let count = name.utf8.count
        for line in self.lines where Int(line.name.count) == count {
            if self.text(line.name).asciiLowercased() == name { return self.text(line.value).asciiLowercased() }
        }
        return nil
    }
}
