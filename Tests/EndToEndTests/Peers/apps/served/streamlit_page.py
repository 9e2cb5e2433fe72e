# SPDX-License-Identifier: Apache-2.0
"""A Streamlit page: a slider, an upload, a download."""

import streamlit

streamlit.title("Hello tunnel")
number = streamlit.slider("n", 0, 100, 5)
streamlit.write(f"square is {number * number}")
if file := streamlit.file_uploader("upload"):
    streamlit.write(f"got {len(file.getvalue())} bytes")
streamlit.download_button("download it", "hello", "hello.txt")
