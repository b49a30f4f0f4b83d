# The header as programs take it that parse declarations themselves and have no preprocessor: no comments, no directives, none of what
# stands between those for C++ (LuaJIT's ffi.cdef, cffi, pycparser).
{
    line = $0
    text = ""
    while (line != "") {
        if (comment) {
            end = index(line, "*/")
            comment = end == 0
            line = comment ? "" : substr(line, end + 2)
        } else {
            begin = index(line, "/*")
            comment = begin > 0
            text = text (comment ? substr(line, 1, begin - 1) : line)
            line = comment ? substr(line, begin + 2) : ""
        }
    }
    sub(/[ \t]+$/, "", text)
    if (text ~ /^#if.*__cplusplus/) cplusplus = 1
    if (text !~ /^#/ && text != "" && !cplusplus) {
        sub(/^ZIG_H3_API /, "", text)
        print text
    }
    if (text ~ /^#endif/) cplusplus = 0
}
