// CUDA's driver as far as a program asks it for GPUs, without any. Compiled several times, each
// with one thing wrong.
extern "C" {

#ifndef FAKE_WITHOUT_SYMBOLS
int cuInit(unsigned) { return FAKE_INIT; }
int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
int cuDeviceGetCount(int* count) {
  *count = FAKE_DEVICES;
  return 0;
}
int cuGetErrorString(int, const char** text) {
  *text = "no CUDA-capable device is detected";
  return 0;
}
#endif

}  // extern "C"
