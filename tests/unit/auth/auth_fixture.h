// A folder for key files, and a verifier that reads them.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/auth/key_store.h"
#include "broker/auth/token_verifier.h"
#include "tests/unit/auth/token_maker.h"

namespace weir {

class KeyFolder {
 public:
  KeyFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-keys-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~KeyFolder() { std::filesystem::remove_all(path_); }
  KeyFolder(const KeyFolder&) = delete;
  KeyFolder& operator=(const KeyFolder&) = delete;

  // Its path. Another file takes the place of one that is there: it is seen as changed at any clock.
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::ofstream(path_ / (name + ".new"), std::ios::binary) << text;
    std::filesystem::rename(path_ / (name + ".new"), path);
    return path.string();
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1'800'000'000)};
inline const std::string kGoodClaims = R"({"exp":1800000600,"weir":{"subscribe":["a"],"publish":["b"]}})";

}  // namespace weir
