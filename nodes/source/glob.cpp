#include "sluice/nodes/source/glob.h"

#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAlternatives = 1024;

// Where the brace group that opens at `open` ends, and its commas; none where it does not end.
struct Braces {
  std::size_t close = 0;
  std::vector<std::size_t> commas;
};

std::optional<Braces> match_braces(std::string_view text, std::size_t open) {
  Braces braces;
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == ',' && depth == 1) {
      braces.commas.push_back(i);
    } else if (text[i] == '}' && --depth == 0) {
      braces.close = i;
      return braces;
    }
  }
  return std::nullopt;
}

std::size_t find_unescaped(std::string_view text, char wanted) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == wanted) {
      return i;
    }
  }
  return std::string_view::npos;
}

Status pattern_error(std::string_view pattern, std::string_view what) {
  return invalid("files.pattern",
                 "in the pattern \"" + std::string(pattern) + "\": " + std::string(what));
}

// Every text that the braces of `pattern` stand for.
Result<std::vector<std::string>> expand_braces(std::string_view pattern) {
  std::vector<std::string> done;
  std::vector<std::string> open{std::string(pattern)};
  while (!open.empty()) {
    if (done.size() + open.size() > kMaxAlternatives) {
      return pattern_error(pattern, "its braces stand for more than 1024 alternatives");
    }
    const std::string text = std::move(open.back());
    open.pop_back();
    const std::size_t begin = find_unescaped(text, '{');
    if (begin == std::string::npos) {
      done.push_back(text);
      continue;
    }
    const auto braces = match_braces(text, begin);
    if (!braces) return pattern_error(pattern, "a brace { is never closed");
    const std::string head = text.substr(0, begin);
    const std::string tail = text.substr(braces->close + 1);
    std::size_t from = begin + 1;
    std::vector<std::size_t> ends = braces->commas;
    ends.push_back(braces->close);
    for (const std::size_t end : ends) {
      open.push_back(head + text.substr(from, end - from) + tail);
      from = end + 1;
    }
  }
  return done;
}

bool has_wildcard(std::string_view name) {
  return find_unescaped(name, '*') != std::string_view::npos ||
         find_unescaped(name, '?') != std::string_view::npos ||
         find_unescaped(name, '[') != std::string_view::npos;
}

std::string unescape(std::string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\' && i + 1 < name.size()) ++i;
    plain += name[i];
  }
  return plain;
}

std::string join(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  return folder.back() == '/' ? folder + name : folder + "/" + name;
}

}  // namespace

// One walk: a pattern level at a time, depth first.
struct Glob::Walk {
  Want want;
  Matches matches;
  std::set<std::string> seen;
  std::set<std::string> listed;  // folders; `**` reads one again for what may follow it

  bool done() const { return want == Want::kFirst && !matches.paths.empty(); }

  // `level` is the first pattern that `folder` has not used up.
  void enter(const std::string& folder, const std::vector<std::string>& names, std::size_t level) {
    if (done()) return;
    if (level == names.size()) return;
    const bool last = level + 1 == names.size();
    const std::string& pattern = names[level];
    if (pattern != "**" && !has_wildcard(pattern)) {
      const std::string path = join(folder, unescape(pattern));
      if (last) {
        consider(path);
      } else {
        enter(path, names, level + 1);
      }
      return;
    }
    if (pattern == "**" && !last) enter(folder, names, level + 1);
    list(folder, names, level);
  }

  void list(const std::string& folder, const std::vector<std::string>& names, std::size_t level) {
    const bool last = level + 1 == names.size();
    const std::string& pattern = names[level];
    const bool is_new = listed.insert(folder).second;
    std::error_code error;
    fs::directory_iterator entries(folder.empty() ? "." : folder, error);
    if (error) {
      // A literal part that is not there, or is no folder, simply matches nothing.
      if (is_new && error != std::errc::no_such_file_or_directory &&
          error != std::errc::not_a_directory) {
        matches.unreadable.push_back((folder.empty() ? "." : folder) + ": " + error.message());
      }
      return;
    }
    if (is_new) ++matches.folders;
    for (; !error && entries != fs::directory_iterator() && !done(); entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      std::error_code ignored;
      if (pattern == "**") {
        if (name.front() == '.') continue;
        if (entries->symlink_status(ignored).type() == fs::file_type::directory) {
          enter(join(folder, name), names, level);  // the rest may begin here, or `**` go on
        } else if (last) {
          consider(join(folder, name));
        }
      } else if (fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) {
        if (last) {
          consider(join(folder, name));
        } else if (entries->is_directory(ignored)) {
          enter(join(folder, name), names, level + 1);
        }
      }
    }
    if (error)
      matches.unreadable.push_back((folder.empty() ? "." : folder) + ": " + error.message());
  }

  void consider(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !seen.insert(path).second) return;
    if (S_ISREG(status.st_mode)) {
      matches.paths.push_back(path);
    } else if (!S_ISDIR(status.st_mode)) {
      matches.skipped.push_back(path);
    }
  }
};

Result<Glob> Glob::parse(std::string_view pattern) {
  if (pattern.empty()) return pattern_error(pattern, "it is empty");
  auto texts = expand_braces(pattern);
  if (!texts) return texts.status();
  Glob glob;
  for (const std::string& text : *texts) {
    if (text.empty()) continue;
    Alternative alternative;
    std::size_t begin = 0;
    if (text.front() == '/') alternative.root = "/";
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find('/', begin), text.size());
      const std::string name = text.substr(begin, end - begin);
      begin = end + 1;
      if (name.empty()) continue;
      if (alternative.names.empty() && !has_wildcard(name) && begin <= text.size()) {
        alternative.root = join(alternative.root, unescape(name));
      } else if (name != "**" || alternative.names.empty() || alternative.names.back() != "**") {
        alternative.names.push_back(name);
      }
    }
    glob.alternatives_.push_back(std::move(alternative));
  }
  return glob;
}

Glob::Matches Glob::find(Want want) const {
  Walk walk{want, {}, {}, {}};
  for (const Alternative& alternative : alternatives_) {
    walk.enter(alternative.root, alternative.names, 0);
  }
  std::sort(walk.matches.paths.begin(), walk.matches.paths.end());
  return std::move(walk.matches);
}

std::vector<std::string> Glob::roots() const {
  std::set<std::string> unique;
  for (const Alternative& alternative : alternatives_) {
    unique.insert(alternative.root.empty() ? "." : alternative.root);
  }
  return {unique.begin(), unique.end()};
}

}  // namespace sluice
