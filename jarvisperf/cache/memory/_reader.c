/* The compiled form of two functions: the one that MemoryTier.make_reader returns, for a hit in memory, and
   fast_path.open_plain, for many entries from Redis or the disk. And is_flat, which finds values that can be encoded as
   they are.

   Optional: without this module, those functions do the same, and the encoder checks every value as it goes. Both must
   do exactly the same, in the same order; tests/cache/memory/test_compiled.py runs both. Fields of an entry in memory
   are read where the class keeps them, because looking them up by name would take as long as the rest of a hit. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>
#include <time.h>

/* tier.py does not use a module of another version. */
#define VERSION 3

/* How an int from 1 to 2**30 - 1 is laid out; unknown for later versions of Python, where a hit makes a new int. */
#if PY_VERSION_HEX < 0x030C0000
#define HAS_ONE_DIGIT(number) (Py_SIZE(number) == 1)
#define DIGIT(number) (((PyLongObject *)(number))->ob_digit[0])
#elif PY_VERSION_HEX < 0x030E0000
#define HAS_ONE_DIGIT(number) (((PyLongObject *)(number))->long_value.lv_tag == 1 << 3)
#define DIGIT(number) (((PyLongObject *)(number))->long_value.ob_digit[0])
#endif

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *entries;
    PyObject *clock;
    PyObject *otherwise;
    PyObject *forget;
    PyObject *unreadable;
    PyTypeObject *entry_type;
    int is_monotonic;
    Py_ssize_t valid_until, hits, used, thaw, value;
} Reader;

static PyObject *name_key, *name_default;

#define FIELD(entry, offset) (*(PyObject **)((char *)(entry) + (offset)))

static void
set_field(PyObject *entry, Py_ssize_t offset, PyObject *value)
{
    PyObject *old = FIELD(entry, offset);
    FIELD(entry, offset) = value;
    Py_XDECREF(old);
}

/* Returns 1 and notes the time of use if the entry is valid, 0 if it is not, -1 with an exception set. */
static int
use(Reader *self, PyObject *entry)
{
    PyObject *valid_until = FIELD(entry, self->valid_until);
    if (valid_until == NULL) {
        return 0;
    }
#if defined(__linux__)
    struct timespec ts;
    if (self->is_monotonic && PyFloat_CheckExact(valid_until) && clock_gettime(CLOCK_MONOTONIC, &ts) == 0) {
        /* What time.monotonic does on Linux. */
        double seconds = (double)((long long)ts.tv_sec * 1000000000LL + ts.tv_nsec) / 1e9;
        if (!(PyFloat_AS_DOUBLE(valid_until) > seconds)) {
            return 0;
        }
        PyObject *used = FIELD(entry, self->used);
        if (used != NULL && PyFloat_CheckExact(used) && Py_REFCNT(used) == 1) { /* nobody else has this object */
            ((PyFloatObject *)used)->ob_fval = seconds;
            return 1;
        }
        PyObject *now = PyFloat_FromDouble(seconds);
        if (now == NULL) {
            return -1;
        }
        set_field(entry, self->used, now);
        return 1;
    }
#endif
    Py_INCREF(valid_until);
    PyObject *now = PyObject_CallNoArgs(self->clock);
    int is_valid = now == NULL ? -1 : PyObject_RichCompareBool(valid_until, now, Py_GT);
    Py_DECREF(valid_until);
    if (is_valid > 0) {
        set_field(entry, self->used, now);
    }
    else {
        Py_XDECREF(now);
    }
    return is_valid;
}

static int
count_hit(Reader *self, PyObject *entry)
{
    PyObject *hits = FIELD(entry, self->hits);
#ifdef DIGIT
    /* As above: nobody else has this object, so it can be increased in place. */
    if (hits != NULL && PyLong_CheckExact(hits) && Py_REFCNT(hits) == 1 && HAS_ONE_DIGIT(hits) &&
        DIGIT(hits) < PyLong_MASK) {
        DIGIT(hits)++;
        return 0;
    }
#endif
    long long count = hits == NULL ? 0 : PyLong_AsLongLong(hits);
    PyObject *more = count == -1 && PyErr_Occurred() ? NULL : PyLong_FromLongLong(count + 1);
    if (more == NULL) {
        return -1;
    }
    set_field(entry, self->hits, more);
    return 0;
}

/* Returns the value, or NULL: with an exception set, or without one if there is no hit. */
static PyObject *
hit(Reader *self, PyObject *key, PyObject *entry)
{
    if (use(self, entry) <= 0 || count_hit(self, entry) < 0) {
        return NULL;
    }
    PyObject *thaw = FIELD(entry, self->thaw);
    PyObject *value = FIELD(entry, self->value);
    if (thaw == NULL || value == NULL) {
        return NULL;
    }
    if (thaw == Py_None) {
        return Py_NewRef(value);
    }
    Py_INCREF(thaw);
    Py_INCREF(value);
    PyObject *found = PyObject_CallOneArg(thaw, value);
    Py_DECREF(thaw);
    Py_DECREF(value);
    if (found == NULL && PyErr_ExceptionMatches(self->unreadable)) { /* its class was defined again */
        PyErr_Clear();
        PyObject *forgotten = PyObject_CallFunctionObjArgs(self->forget, key, entry, NULL);
        Py_XDECREF(forgotten);
    }
    return found;
}

static int
parse(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **key, PyObject **fallback)
{
    *key = count > 0 ? args[0] : NULL;
    *fallback = count > 1 ? args[1] : NULL;
    if (count > 2) {
        PyErr_Format(PyExc_TypeError, "get() takes from 1 to 2 positional arguments but %zd were given", count);
        return -1;
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t place = 0; place < named; place++) {
        PyObject *name = PyTuple_GET_ITEM(names, place);
        int is_key = PyUnicode_Compare(name, name_key) == 0;
        if (!is_key && PyUnicode_Compare(name, name_default) != 0) {
            PyErr_Format(PyExc_TypeError, "get() got an unexpected keyword argument '%U'", name);
            return -1;
        }
        PyObject **which = is_key ? key : fallback;
        if (*which != NULL) {
            PyErr_Format(PyExc_TypeError, "get() got multiple values for argument '%U'", name);
            return -1;
        }
        *which = args[count + place];
    }
    if (*key == NULL) {
        PyErr_SetString(PyExc_TypeError, "get() missing 1 required positional argument: 'key'");
        return -1;
    }
    if (*fallback == NULL) {
        *fallback = Py_None;
    }
    return 0;
}

static PyObject *
reader_call(PyObject *callable, PyObject *const *args, size_t flags, PyObject *names)
{
    Reader *self = (Reader *)callable;
    PyObject *key, *fallback;
    if (parse(args, PyVectorcall_NARGS(flags), names, &key, &fallback) < 0) {
        return NULL;
    }
    if (self->entries == NULL) { /* a finalizer in a cycle of garbage, of which this is a part, calls */
        PyErr_SetString(PyExc_ReferenceError, "this cache is being collected");
        return NULL;
    }
    PyObject *entry = PyDict_GetItemWithError(self->entries, key);
    if (entry != NULL && Py_IS_TYPE(entry, self->entry_type)) {
        Py_INCREF(entry);
        PyObject *found = hit(self, key, entry);
        Py_DECREF(entry);
        if (found != NULL || PyErr_Occurred()) {
            return found;
        }
    }
    else if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_KeyError)) {
            return NULL;
        }
        PyErr_Clear(); /* the key cannot be hashed */
    }
    PyObject *both[] = {NULL, key, fallback};
    return PyObject_Vectorcall(self->otherwise, both + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

static int
reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->entries);
    Py_VISIT(self->clock);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->forget);
    Py_VISIT(self->unreadable);
    Py_VISIT(self->entry_type);
    return 0;
}

static int
reader_clear(Reader *self)
{
    Py_CLEAR(self->entries);
    Py_CLEAR(self->clock);
    Py_CLEAR(self->otherwise);
    Py_CLEAR(self->forget);
    Py_CLEAR(self->unreadable);
    Py_CLEAR(self->entry_type);
    return 0;
}

static void
reader_dealloc(Reader *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    reader_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef reader_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Reader, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, "get(key, default=None)\n--\n\nReturn the value of a key."},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_members, reader_members},
    {0, NULL},
};

static PyType_Spec reader_spec = {
    .name = "jarvisperf.cache.memory._reader.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = reader_slots,
};

static Py_ssize_t
offset_of(PyObject *type, const char *name)
{
    PyObject *field = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = -1;
    if (field == NULL) {
        return -1;
    }
    if (Py_IS_TYPE(field, &PyMemberDescr_Type) && ((PyMemberDescrObject *)field)->d_member->type == T_OBJECT_EX) {
        offset = ((PyMemberDescrObject *)field)->d_member->offset;
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s is not a slot of %R", name, type);
    }
    Py_DECREF(field);
    return offset;
}

static PyObject *
make_reader(PyObject *module, PyObject *args)
{
    PyObject *entries, *clock, *otherwise, *forget, *entry_type, *unreadable;
    int is_monotonic;
    if (!PyArg_ParseTuple(args, "O!OOOO!O!p:make_reader", &PyDict_Type, &entries, &clock, &otherwise, &forget,
                          &PyType_Type, &entry_type, &PyTuple_Type, &unreadable, &is_monotonic)) {
        return NULL;
    }
    PyTypeObject *type = *(PyTypeObject **)PyModule_GetState(module);
    Reader *self = PyObject_GC_New(Reader, type);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = reader_call;
    self->entries = Py_NewRef(entries);
    self->clock = Py_NewRef(clock);
    self->otherwise = Py_NewRef(otherwise);
    self->forget = Py_NewRef(forget);
    self->unreadable = Py_NewRef(unreadable);
    self->entry_type = (PyTypeObject *)Py_NewRef(entry_type);
    self->is_monotonic = is_monotonic;
    PyObject_GC_Track(self);
    if ((self->valid_until = offset_of(entry_type, "valid_until")) < 0 ||
        (self->hits = offset_of(entry_type, "hits")) < 0 || (self->used = offset_of(entry_type, "used")) < 0 ||
        (self->thaw = offset_of(entry_type, "thaw")) < 0 || (self->value = offset_of(entry_type, "value")) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* --- many entries from a tier below memory */

/* The layout of an envelope; see values/envelopes/envelope.py. */
#define CHECKED_FROM 8
#define KEY_START 76
#define ALIGNMENT 16
#define SHORT_BYTES 2048
#define PLAIN_START 0x4a504302u /* JPC, version 2 */
#define PLAIN_KIND 0x01000000u  /* MessagePack, no flags, no tags */

static uint32_t crc_table[8][256];

static void
fill_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
        crc_table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = crc_table[slice - 1][byte];
            crc_table[slice][byte] = crc >> 8 ^ crc_table[0][crc & 0xff];
        }
    }
}

static uint64_t
number(const unsigned char *at, int size_bytes)
{
    uint64_t sum = 0;
    for (int place = 0; place < size_bytes; place++) {
        sum = sum << 8 | at[place];
    }
    return sum;
}

static double
float_number(const unsigned char *at)
{
    uint64_t bits = number(at, 8);
    double found;
    memcpy(&found, &bits, sizeof(found));
    return found;
}

/* CRC-32, eight bytes at a time (M. Kounavis and F. Berry, "A systematic approach to building high performance
   software-based CRC generators", ISCC 2005). */
static uint32_t
checksum(const unsigned char *at, Py_ssize_t size_bytes)
{
    uint32_t crc = 0xffffffffu;
    for (; size_bytes >= 8; at += 8, size_bytes -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
        crc = crc_table[7][low & 0xff] ^ crc_table[6][low >> 8 & 0xff] ^ crc_table[5][low >> 16 & 0xff] ^
              crc_table[4][low >> 24] ^ crc_table[3][at[4]] ^ crc_table[2][at[5]] ^ crc_table[1][at[6]] ^
              crc_table[0][at[7]];
    }
    for (; size_bytes > 0; at++, size_bytes--) {
        crc = crc >> 8 ^ crc_table[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

/* Returns where the payload starts; 0 if these bytes need a full check. */
static Py_ssize_t
payload_start(PyObject *blob, PyObject *name, double now, uint64_t generation)
{
    if (!PyBytes_CheckExact(blob) || !PyBytes_CheckExact(name)) {
        return 0;
    }
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(blob);
    Py_ssize_t end = PyBytes_GET_SIZE(blob), name_bytes = PyBytes_GET_SIZE(name);
    if (end < KEY_START || end >= SHORT_BYTES || number(at, 4) != PLAIN_START || number(at + 16, 4) != PLAIN_KIND ||
        number(at + 20, 4) != (uint64_t)name_bytes || number(at + 24, 4) != 0 || number(at + 68, 8) != generation) {
        return 0;
    }
    Py_ssize_t start = (KEY_START + name_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    double created = float_number(at + 36), expiry = float_number(at + 44), stale_until = float_number(at + 52);
    if (start > end || number(at + 28, 8) != (uint64_t)(end - start) ||
        memcmp(at + KEY_START, PyBytes_AS_STRING(name), name_bytes) != 0 ||
        !(created <= now && now < expiry && expiry <= stale_until && float_number(at + 60) >= 0.0) ||
        number(at + 4, 4) != checksum(at + CHECKED_FROM, end - CHECKED_FROM)) {
        return 0;
    }
    return start;
}

static PyObject *
open_plain(PyObject *module, PyObject *args)
{
    PyObject *blobs, *names, *of_generation, *unpack, *found, *unreadable, *key, *blob;
    double now;
    if (!PyArg_ParseTuple(args, "O!O!dO!OO!O!:open_plain", &PyDict_Type, &blobs, &PyList_Type, &names, &now,
                          &PyLong_Type, &of_generation, &unpack, &PyDict_Type, &found, &PyTuple_Type, &unreadable)) {
        return NULL;
    }
    uint64_t generation = PyLong_AsUnsignedLongLong(of_generation), newest = 0;
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (PyList_GET_SIZE(names) != PyDict_GET_SIZE(blobs)) {
        PyErr_SetString(PyExc_ValueError, "open_plain() needs one name for each blob");
        return NULL;
    }
    PyObject *others = PyDict_New();
    PyObject *items = others == NULL ? NULL : PyDict_Items(blobs); /* decoding may run any code */
    if (items == NULL) {
        Py_XDECREF(others);
        return NULL;
    }
    for (Py_ssize_t place = 0; place < PyList_GET_SIZE(items) && place < PyList_GET_SIZE(names); place++) {
        key = PyTuple_GET_ITEM(PyList_GET_ITEM(items, place), 0);
        blob = PyTuple_GET_ITEM(PyList_GET_ITEM(items, place), 1);
        Py_ssize_t start = payload_start(blob, PyList_GET_ITEM(names, place), now, generation);
        PyObject *value = NULL;
        if (start > 0) {
            const char *at = PyBytes_AS_STRING(blob);
            PyObject *payload = PyBytes_FromStringAndSize(at + start, PyBytes_GET_SIZE(blob) - start);
            value = payload == NULL ? NULL : PyObject_CallOneArg(unpack, payload);
            Py_XDECREF(payload);
            if (value == NULL) {
                if (!PyErr_ExceptionMatches(unreadable)) {
                    goto failed;
                }
                PyErr_Clear();
            }
        }
        int status;
        if (value == NULL) {
            status = PyDict_SetItem(others, key, blob);
        }
        else {
            uint64_t version = number((const unsigned char *)PyBytes_AS_STRING(blob) + CHECKED_FROM, 8);
            newest = version > newest ? version : newest;
            status = PyDict_SetItem(found, key, value);
            Py_DECREF(value);
        }
        if (status < 0) {
            goto failed;
        }
    }
    Py_DECREF(items);
    return Py_BuildValue("(NK)", others, (unsigned long long)newest);
failed:
    Py_DECREF(items);
    Py_DECREF(others);
    return NULL;
}

/* --- values to be written */

/* Whether an object has one of the types in isolation.PLAIN; a subclass would come back as its base class. */
static int
is_plain(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type || type == &PyBytes_Type ||
           type == &PyBool_Type || object == Py_None;
}

/* Whether a value is a dict or a list of plain objects only. */
static PyObject *
is_flat(PyObject *Py_UNUSED(module), PyObject *value)
{
    int is_so = 0;
    if (PyDict_CheckExact(value)) {
        PyObject *key, *item;
        Py_ssize_t place = 0;
        is_so = 1;
        while (is_so && PyDict_Next(value, &place, &key, &item)) {
            is_so = is_plain(key) && is_plain(item);
        }
    }
    else if (PyList_CheckExact(value)) {
        is_so = 1;
        for (Py_ssize_t place = 0; is_so && place < PyList_GET_SIZE(value); place++) {
            is_so = is_plain(PyList_GET_ITEM(value, place));
        }
    }
    return PyBool_FromLong(is_so);
}

/* --- the module */

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &reader_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    *(PyObject **)PyModule_GetState(module) = type;
    fill_crc_table();
    if ((name_key == NULL && (name_key = PyUnicode_InternFromString("key")) == NULL) ||
        (name_default == NULL && (name_default = PyUnicode_InternFromString("default")) == NULL)) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "VERSION", VERSION);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(*(PyObject **)PyModule_GetState(module));
    return 0;
}

static PyMethodDef module_methods[] = {
    {"make_reader", make_reader, METH_VARARGS,
     "make_reader(entries, clock, otherwise, forget, entry_type, unreadable, is_monotonic)"},
    {"open_plain", open_plain, METH_VARARGS, "open_plain(blobs, names, now, generation, unpack, found, unreadable)"},
    {"is_flat", is_flat, METH_O, "is_flat(value)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_reader",
    .m_doc = "The compiled form of a hit in memory, of opening many entries of the tiers below, and of checking values.",
    .m_size = sizeof(PyObject *),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
};

PyMODINIT_FUNC
PyInit__reader(void)
{
    return PyModuleDef_Init(&module_definition);
}
