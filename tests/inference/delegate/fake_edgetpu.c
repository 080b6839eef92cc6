/* Stand in for libedgetpu: a TensorFlow Lite delegate and a list of devices, steered by files.
 *
 * The directory in FAKE_EDGETPU_DIR holds the device's state, read anew at every step:
 *   devices     one line per device, "usb PATH" or "pci PATH"; missing: nothing is plugged in
 *   refuse      text with which the delegate is refused; an empty file refuses without a word, as libedgetpu does
 *   crash       "create", "prepare" or "invoke": abort there, as a driver older than the runtime does
 *   hang        the same steps: never come back
 *   fail_after  number of inferences that succeed before all others fail
 *   log         written here: one line per step
 *
 * The kernel of edgetpu-custom-op gives to each output the maximum over blocks of its input, so a "compiled"
 * tiny model answers exactly as the same model does on the CPU. An output of another depth is all zeros.
 *
 * The structures follow the binary interface of tensorflow/lite/core/c/common.h ("semi-ABI stable": fields
 * are only added at the end); only what is used here carries its real type.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1 };
enum { ALLOW_DYNAMIC_TENSORS = 1 };
enum { MAX_DEVICES = 8, MAX_TEXT = 512 };

typedef struct IntArray {
  int size;
  int data[];
} IntArray;

typedef struct Tensor {
  int type;
  uint8_t *data;
  IntArray *dims;
  struct {
    float scale;
    int32_t zero_point;
  } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct {
    int type;
    void *params;
  } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct Node {
  IntArray *inputs;
  IntArray *outputs;
  /* more fields follow; nodes are reached by pointer only */
} Node;

struct Context;
struct Delegate;

typedef struct Registration {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  int (*prepare)(struct Context *, Node *);
  int (*invoke)(struct Context *, Node *);
  const char *(*profiling_string)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external;
  void *async_kernel;
  uint64_t inplace_operator;
} Registration;

typedef struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(struct Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*resize_tensor)(struct Context *, Tensor *, IntArray *);
  void (*report_error)(struct Context *, const char *, ...);
  int (*add_tensors)(struct Context *, int, int *);
  int (*get_node)(struct Context *, int, Node **, Registration **);
  int (*replace_nodes)(struct Context *, Registration, const IntArray *, struct Delegate *);
  /* more fields follow; the context is reached by pointer only */
} Context;

typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  void *copy_from_buffer_handle;
  void *copy_to_buffer_handle;
  void *free_buffer_handle;
  int64_t flags;
  void *opaque_builder;
} Delegate;

struct edgetpu_device {
  int type; /* 0 PCI, 1 USB */
  const char *path;
};

static int inferences; /* since the delegate was created */

static FILE *open_state(const char *name, const char *mode) {
  char path[4096];
  const char *directory = getenv("FAKE_EDGETPU_DIR");
  if (directory == NULL) return NULL;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return fopen(path, mode);
}

/* Read a file of the device's state; false where it is missing. */
static bool read_state(const char *name, char text[MAX_TEXT]) {
  FILE *file = open_state(name, "r");
  if (file == NULL) return false;
  text[fread(text, 1, MAX_TEXT - 1, file)] = '\0';
  fclose(file);
  return true;
}

static void take_step(const char *step) {
  char text[MAX_TEXT];
  FILE *log = open_state("log", "a");
  if (log != NULL) {
    fprintf(log, "%s\n", step);
    fclose(log);
  }
  if (read_state("crash", text) && strcmp(text, step) == 0) abort();
  if (read_state("hang", text) && strcmp(text, step) == 0) pause();
}

static void log_option(const char *key, const char *value) {
  char line[MAX_TEXT];
  snprintf(line, sizeof line, "option %s=%s", key, value);
  take_step(line);
}

static bool is_plugged_in(void) {
  char text[MAX_TEXT];
  return read_state("devices", text) && text[0] != '\0';
}

/* Give to each place of the output the maximum over the block of input that it covers. */
static void pool(const Tensor *input, const Tensor *output) {
  const int height = output->dims->data[1], width = output->dims->data[2], channels = output->dims->data[3];
  const int input_width = input->dims->data[2];
  const int block = input->dims->data[1] / height;
  if (channels != input->dims->data[3]) {
    memset(output->data, output->params.zero_point, output->bytes);
    return;
  }
  memset(output->data, 0, output->bytes);
  for (int y = 0; y < height * block; y++) {
    for (int x = 0; x < width * block; x++) {
      for (int c = 0; c < channels; c++) {
        const uint8_t value = input->data[(y * input_width + x) * channels + c];
        uint8_t *place = &output->data[((y / block) * width + x / block) * channels + c];
        if (value > *place) *place = value;
      }
    }
  }
}

static int prepare_kernel(Context *context, Node *node) {
  (void)context, (void)node;
  return OK;
}

static int invoke_kernel(Context *context, Node *node) {
  char text[MAX_TEXT];
  take_step("invoke");
  if (!is_plugged_in()) {
    context->report_error(context, "USB transfer error: device not found");
    return ERROR;
  }
  if (read_state("fail_after", text) && inferences >= atoi(text)) {
    context->report_error(context, "USB transfer error: timed out");
    return ERROR;
  }
  inferences++;
  for (int i = 0; i < node->outputs->size; i++) {
    pool(&context->tensors[node->inputs->data[0]], &context->tensors[node->outputs->data[i]]);
  }
  return OK;
}

static int prepare(Context *context, Delegate *delegate) {
  IntArray *plan, *mine;
  take_step("prepare");
  if (context->get_execution_plan(context, &plan) != OK) return ERROR;
  mine = malloc(sizeof *mine + (size_t)plan->size * sizeof mine->data[0]);
  if (mine == NULL) return ERROR;
  mine->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    if (context->get_node(context, plan->data[i], &node, &registration) != OK) continue;
    if (registration->custom_name == NULL) continue;
    if (strcmp(registration->custom_name, "edgetpu-custom-op") == 0) mine->data[mine->size++] = plan->data[i];
  }
  const Registration kernel = {
      .prepare = prepare_kernel, .invoke = invoke_kernel, .custom_name = "fake-edgetpu", .version = 1};
  const int status = context->replace_nodes(context, kernel, mine, delegate);
  free(mine);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  char text[MAX_TEXT];
  take_step("create");
  for (size_t i = 0; i < count; i++) log_option(keys[i], values[i]);
  if (!is_plugged_in()) return NULL;
  if (read_state("refuse", text)) {
    if (text[0] != '\0') report(text);
    return NULL;
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  if (delegate == NULL) return NULL;
  delegate->prepare = prepare;
  /* Without it the runtime prepares every operation first, and stumbles over edgetpu-custom-op. */
  delegate->flags = ALLOW_DYNAMIC_TENSORS;
  inferences = 0;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (delegate != NULL) take_step("destroy");
  free(delegate);
}

struct edgetpu_device *edgetpu_list_devices(size_t *count) {
  char bus[8], path[MAX_TEXT];
  FILE *file = open_state("devices", "r");
  *count = 0;
  if (file == NULL) return NULL;
  struct edgetpu_device *devices = calloc(MAX_DEVICES, sizeof *devices);
  while (devices != NULL && *count < MAX_DEVICES && fscanf(file, "%7s %511s", bus, path) == 2) {
    devices[*count].type = strcmp(bus, "usb") == 0 ? 1 : 0;
    devices[(*count)++].path = strdup(path);
  }
  fclose(file);
  return devices;
}

void edgetpu_free_devices(struct edgetpu_device *devices) {
  for (int i = 0; devices != NULL && i < MAX_DEVICES; i++) free((char *)devices[i].path);
  free(devices);
}

const char *edgetpu_version(void) { return "fake-edgetpu 1.0"; }
